/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds that were configured with --enable-testing say so wherever they give their version, and
 * have an option --testing-listen=PATH, by which root can report in the name of any CID. In all
 * other builds nothing of this is there, which tests/testing.sh checks. */
#pragma once

#include "config.h"

#ifdef ENABLE_TESTING
#define TESTING_BUILD "TESTING BUILD"
#define HOSTD_VERSION PACKAGE_VERSION " " TESTING_BUILD
#define HOSTD_STATUS  TESTING_BUILD "; "
#define TESTING_HELP                                                                               \
	"\n" TESTING_BUILD ": --testing-listen=PATH takes made-up reports there. See HACKING.md\n" \
	"in the sources.\n"
#else
#define HOSTD_VERSION PACKAGE_VERSION
#define HOSTD_STATUS  ""
#define TESTING_HELP  ""
#endif
