# SPDX-License-Identifier: Apache-2.0
# Fuzz targets of tokens and of the keys for them.
check_PROGRAMS += tests/fuzz/fuzz_token tests/fuzz/fuzz_jwks
tests_fuzz_fuzz_token_SOURCES = tests/fuzz/fuzz_token.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_token_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_token_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_jwks_SOURCES = tests/fuzz/fuzz_jwks.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_jwks_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_jwks_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/fuzz_token.in tests/fuzz/fuzz_jwks.in
