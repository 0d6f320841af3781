/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What we need of a running domain's live XML. No I/O: text in, struct out. */
#pragma once

#include "hostd/inventory.h"

/* Fills cid, machine, n_vcpus (those that it can have, online or not), and of each vCPU its allowed CPUs
 * and whether it is offline; uuid, id and name are the caller's to set. -EBADMSG if it isn't a domain's XML or a number in it makes no
 * sense, -ENOMEM. What ret held is not freed. */
int domain_xml_parse(const char *xml, struct inventory_domain *ret);
