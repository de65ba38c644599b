# SPDX-License-Identifier: Apache-2.0
# Fuzz target of tokens.
check_PROGRAMS += tests/fuzz/fuzz_token
tests_fuzz_fuzz_token_SOURCES = tests/fuzz/fuzz_token.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_token_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_token_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/fuzz_token.in
