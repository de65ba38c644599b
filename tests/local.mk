# SPDX-License-Identifier: Apache-2.0
# Tests: unit programs and fuzz replays run by make check; each fragment belongs to one area.
TESTS += $(check_PROGRAMS)
UNIT_LIBS = $(COMMON_LIBS) $(CMOCKA_LIBS)

include tests/unit/base.mk
include tests/unit/engine.mk
include tests/unit/conf.mk
include tests/unit/token.mk
include tests/unit/fcgi.mk
include tests/unit/pushd.mk
include tests/unit/admin.mk
include tests/unit/delta.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/integration/local.mk
