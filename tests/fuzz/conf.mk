# SPDX-License-Identifier: Apache-2.0
# Fuzz targets of configuration, channels and patterns.
check_PROGRAMS += tests/fuzz/fuzz_channel tests/fuzz/fuzz_conf tests/fuzz/fuzz_glob
tests_fuzz_fuzz_channel_SOURCES = tests/fuzz/fuzz_channel.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_channel_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_channel_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_conf_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_glob_SOURCES = tests/fuzz/fuzz_glob.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_glob_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_glob_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/fuzz_channel.in tests/fuzz/fuzz_conf.in tests/fuzz/fuzz_glob.in
