# SPDX-License-Identifier: Apache-2.0
# Unit tests of tokens.
if HAVE_CMOCKA
TOKEN_TEST_COMMON = tests/unit/token_make.c tests/unit/token_make.h tests/unit/unit.h
check_PROGRAMS += tests/unit/test_token tests/unit/test_token_claims tests/unit/test_token_keys tests/unit/test_token_rules
tests_unit_test_token_SOURCES = tests/unit/test_token.c $(TOKEN_TEST_COMMON)
tests_unit_test_token_LDADD = $(UNIT_LIBS)
tests_unit_test_token_claims_SOURCES = tests/unit/test_token_claims.c $(TOKEN_TEST_COMMON)
tests_unit_test_token_claims_LDADD = $(UNIT_LIBS)
tests_unit_test_token_keys_SOURCES = tests/unit/test_token_keys.c $(TOKEN_TEST_COMMON)
tests_unit_test_token_keys_LDADD = $(UNIT_LIBS)
tests_unit_test_token_rules_SOURCES = tests/unit/test_token_rules.c $(TOKEN_TEST_COMMON)
tests_unit_test_token_rules_LDADD = $(UNIT_LIBS)
endif
EXTRA_DIST += tests/unit/token_make.c tests/unit/token_make.h
