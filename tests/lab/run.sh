#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run.sh FUNCTION ARGUMENT...: one of the lab's functions in a process of its own. Steps and scenarios are started so,
# since bash forgets errexit in whatever a condition calls, and a step is always called from one.

set -euo pipefail
shopt -s inherit_errexit

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for build.sh
LAB_TOP=${LAB_DIR%/tests/lab}

# shellcheck source=tests/lab/parts.sh
. "$LAB_DIR/parts.sh"
"$@"
