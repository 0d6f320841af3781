/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One program with three names: carrier, feeder, payload-run. */
#include <stdio.h>
#include <string.h>

#include "tests/lab/dvfs/carrier.h"
#include "tests/lab/dvfs/feeder.h"
#include "tests/lab/dvfs/payload_run.h"

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";

	if (strcmp(name, "carrier") == 0)
		return carrier_main(argc, argv);
	if (strcmp(name, "feeder") == 0)
		return feeder_main(argc, argv);
	if (strcmp(name, "payload-run") == 0)
		return payload_run_main(argc, argv);
	fprintf(stderr, "call me carrier, feeder or payload-run\n");
	return 2;
}
