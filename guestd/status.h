/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guestd knows and does, in words and as one JSON document: vmfreqctl(1) describes it. Made
 * when somebody asks, never in the tick. */
#pragma once

#include <json.h>
#include <stddef.h>

#include "guestd/guest.h"

/* The document, which the caller puts; NULL if there is no memory. */
struct json_object *guest_status_json(const struct guest *guest);

/* Why the guest's cpufreq is in the state that it is in. */
void guest_status_cpufreq(const struct guest *guest, char *ret, size_t size);
