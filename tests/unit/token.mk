# SPDX-License-Identifier: Apache-2.0
# Unit tests of tokens, and of the commands of pushctl that use them.
if HAVE_CMOCKA
TOKEN_TEST_COMMON = tests/unit/token_make.c tests/unit/token_make.h tests/unit/unit.h
check_PROGRAMS += tests/unit/test_token tests/unit/test_token_claims tests/unit/test_token_keys tests/unit/test_token_rules \
	tests/unit/test_jwks tests/unit/test_jwks_token tests/unit/test_keys
tests_unit_test_token_SOURCES = tests/unit/test_token.c $(TOKEN_TEST_COMMON)
tests_unit_test_token_LDADD = $(UNIT_LIBS)
tests_unit_test_token_claims_SOURCES = tests/unit/test_token_claims.c $(TOKEN_TEST_COMMON)
tests_unit_test_token_claims_LDADD = $(UNIT_LIBS)
tests_unit_test_token_keys_SOURCES = tests/unit/test_token_keys.c $(TOKEN_TEST_COMMON)
tests_unit_test_token_keys_LDADD = $(UNIT_LIBS)
tests_unit_test_token_rules_SOURCES = tests/unit/test_token_rules.c $(TOKEN_TEST_COMMON)
tests_unit_test_token_rules_LDADD = $(UNIT_LIBS)
tests_unit_test_jwks_SOURCES = tests/unit/test_jwks.c $(TOKEN_TEST_COMMON)
tests_unit_test_jwks_LDADD = $(UNIT_LIBS)
tests_unit_test_jwks_token_SOURCES = tests/unit/test_jwks_token.c $(TOKEN_TEST_COMMON)
tests_unit_test_jwks_token_LDADD = $(UNIT_LIBS)
tests_unit_test_keys_SOURCES = tests/unit/test_keys.c $(TOKEN_TEST_COMMON)
tests_unit_test_keys_LDADD = $(PUSHD_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_pushctl tests/unit/test_pushctl_net
tests_unit_test_pushctl_SOURCES = tests/unit/test_pushctl.c tests/unit/unit.h \
	pushctl/net.c pushctl/net.h pushctl/token_show.c pushctl/token_show.h pushctl/words.c pushctl/words.h
tests_unit_test_pushctl_LDADD = $(UNIT_LIBS)
tests_unit_test_pushctl_net_SOURCES = tests/unit/test_pushctl_net.c tests/unit/unit.h \
	pushctl/http.c pushctl/http.h pushctl/net.c pushctl/net.h pushctl/ws_client.c pushctl/ws_client.h
tests_unit_test_pushctl_net_LDADD = $(UNIT_LIBS)
endif
EXTRA_DIST += tests/unit/token_make.c tests/unit/token_make.h
