# SPDX-License-Identifier: Apache-2.0
# Fuzz targets of permessage-deflate.
check_PROGRAMS += tests/fuzz/fuzz_deflate tests/fuzz/fuzz_ws_ext
tests_fuzz_fuzz_deflate_SOURCES = tests/fuzz/fuzz_deflate.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_deflate_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_deflate_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_ws_ext_SOURCES = tests/fuzz/fuzz_ws_ext.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_ws_ext_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_ws_ext_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/fuzz_deflate.in tests/fuzz/fuzz_ws_ext.in
