/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds that were configured with --enable-testing say so wherever they give their version. In all
 * other builds nothing of this is there, which tests/testing.sh checks. */
#pragma once

#include "config.h"

#ifdef ENABLE_TESTING
#define TESTING_BUILD "TESTING BUILD"
#define HOSTD_VERSION PACKAGE_VERSION " " TESTING_BUILD
#define HOSTD_STATUS  TESTING_BUILD "; "
#else
#define HOSTD_VERSION PACKAGE_VERSION
#define HOSTD_STATUS  ""
#endif
