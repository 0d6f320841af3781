/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything that hostd knows and does, as one JSON document: vmfreqctl(1) describes it. */
#pragma once

#include <json.h>

#include "hostd/host.h"

/* The document, which the caller puts; NULL if there is no memory. Reads some files of /proc. */
struct json_object *status_json(const struct host *host);

/* Why a domain isn't acted on, in words; NULL if it is. */
const char *status_reason(const struct domain *domain);
