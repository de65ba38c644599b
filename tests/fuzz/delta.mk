# SPDX-License-Identifier: Apache-2.0
# Fuzz targets of deltas, compression, tag filters and the login form.
check_PROGRAMS += tests/fuzz/fuzz_fossil tests/fuzz/fuzz_deflate tests/fuzz/fuzz_tags_filter tests/fuzz/fuzz_form
tests_fuzz_fuzz_fossil_SOURCES = tests/fuzz/fuzz_fossil.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_fossil_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_fossil_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_deflate_SOURCES = tests/fuzz/fuzz_deflate.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_deflate_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_deflate_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_tags_filter_SOURCES = tests/fuzz/fuzz_tags_filter.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_tags_filter_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_tags_filter_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_form_SOURCES = tests/fuzz/fuzz_form.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_form_LDADD = $(PUSHD_LIBS)
tests_fuzz_fuzz_form_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/fuzz_fossil.in tests/fuzz/fuzz_deflate.in tests/fuzz/fuzz_tags_filter.in tests/fuzz/fuzz_form.in
