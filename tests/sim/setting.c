/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/sim/setting.h"

#include <string.h>
#include <strings.h>

#include "common/macro.h"
#include "common/nearest.h"

/* What scenarios say instead (goal, budget), and what is of a real host alone. With it a run would
 * be as without it, which nobody would notice. */
static const char *const elsewhere[] = {
	"uri", "port", "allow_unprivileged_ports", "actuator", "goal", "budget", "core_classes"};

static bool is_elsewhere(const struct config_key *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		if (strcmp(elsewhere[i], key->key) == 0)
			return true;
	return false;
}

static const struct config_key *find(const char *name, size_t length)
{
	for (size_t i = 0; i < host_config_n_keys; i++)
		if (strlen(host_config_keys[i].key) == length &&
		    strncasecmp(host_config_keys[i].key, name, length) == 0)
			return &host_config_keys[i];
	return NULL;
}

static int no_such_key(const char *name, size_t length, char *message, size_t size)
{
	char word[NEAREST_NAME_MAX + 1];
	struct nearest nearest = {.word = word};

	snprintf(word, sizeof(word), "%.*s", (int)MIN(length, NEAREST_NAME_MAX), name);
	for (size_t i = 0; i < host_config_n_keys; i++)
		if (!is_elsewhere(&host_config_keys[i]))
			nearest_offer(&nearest, host_config_keys[i].key);
	if (nearest.name)
		snprintf(message, size, "%s: there is no such key in [host]: did you mean '%s'?",
			 word, nearest.name);
	else
		snprintf(message, size, "%s: there is no such key in [host]; look at --settings",
			 word);
	return -EINVAL;
}

int setting_read(const char *text, struct host_config *config, char *message, size_t size)
{
	size_t length = strcspn(text, "=");
	const struct config_key *key = find(text, length);
	char problem[256];

	if (text[length] != '=') {
		snprintf(message, size, "'%.80s' is no KEY=VALUE; look at --settings", text);
		return -EINVAL;
	}
	if (!key)
		return no_such_key(text, length, message, size);
	if (is_elsewhere(key)) {
		snprintf(message, size,
			 "%s: the simulator doesn't go by this key; look at --settings", key->key);
		return -EINVAL;
	}
	if (config_set(key, config, text + length + 1, problem, sizeof(problem)) < 0) {
		snprintf(message, size, "%s: %s", key->key, problem);
		return -EINVAL;
	}
	return 0;
}

int setting_check(const struct host_config *config, char *message, size_t size)
{
	for (size_t i = 0; i < host_config_table.n_rules; i++) {
		const struct config_rule *rule = &host_config_table.rules[i];

		if (rule->is_warning || rule->holds(config))
			continue;
		snprintf(message, size, "%s doesn't go with %s: %s", rule->key, rule->other,
			 rule->remedy);
		return -EINVAL;
	}
	return 0;
}

void setting_print(const struct host_config *config, FILE *file)
{
	char value[CONFIG_STRING_MAX];

	for (size_t i = 0; i < host_config_n_keys; i++) {
		const struct config_key *key = &host_config_keys[i];

		if (!is_elsewhere(key) && config_format(key, config, value, sizeof(value)) >= 0)
			fprintf(file, "%s=%s\n", key->key, value);
	}
}
