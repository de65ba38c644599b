# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/fuzz/fuzz_ws_frame tests/fuzz/fuzz_upgrade
tests_fuzz_fuzz_ws_frame_SOURCES = tests/fuzz/fuzz_ws_frame.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ws_frame_LDADD = $(PUSHD_LIBS)
tests_fuzz_fuzz_ws_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_upgrade_SOURCES = tests/fuzz/fuzz_upgrade.c $(FUZZ_MAIN)
tests_fuzz_fuzz_upgrade_LDADD = $(PUSHD_LIBS)
tests_fuzz_fuzz_upgrade_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/fuzz_ws_frame.in tests/fuzz/fuzz_upgrade.in
