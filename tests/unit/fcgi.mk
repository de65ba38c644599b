# SPDX-License-Identifier: Apache-2.0
# Unit tests of push-api, and of what it shares with pushd about the service manager.
if HAVE_CMOCKA
FCGI_FIXTURE = tests/unit/fcgi_fixture.c tests/unit/fcgi_fixture.h tests/unit/redis_server.c tests/unit/redis_server.h tests/unit/unit.h
FCGI_TEST_LIBS = fcgi/libpushapi.a $(UNIT_LIBS) $(FCGI_LIBS) -lm

check_PROGRAMS += tests/unit/test_fcgi_request tests/unit/test_fcgi_api tests/unit/test_fcgi_batch tests/unit/test_fcgi_keys tests/unit/test_fcgi_token \
	tests/unit/test_fcgi_redis tests/unit/test_fcgi_registry tests/unit/test_fcgi_shards tests/unit/test_fcgi_server tests/unit/test_sd
tests_unit_test_fcgi_request_SOURCES = tests/unit/test_fcgi_request.c tests/unit/unit.h \
	tests/unit/fcgi_client.c tests/unit/fcgi_client.h
tests_unit_test_fcgi_request_LDADD = $(FCGI_TEST_LIBS)
tests_unit_test_fcgi_api_SOURCES = tests/unit/test_fcgi_api.c $(FCGI_FIXTURE)
tests_unit_test_fcgi_api_LDADD = $(FCGI_TEST_LIBS)
tests_unit_test_fcgi_batch_SOURCES = tests/unit/test_fcgi_batch.c $(FCGI_FIXTURE)
tests_unit_test_fcgi_batch_LDADD = $(FCGI_TEST_LIBS)
tests_unit_test_fcgi_token_SOURCES = tests/unit/test_fcgi_token.c tests/unit/token_make.c tests/unit/token_make.h $(FCGI_FIXTURE)
tests_unit_test_fcgi_token_LDADD = $(FCGI_TEST_LIBS)
tests_unit_test_fcgi_keys_SOURCES = tests/unit/test_fcgi_keys.c $(FCGI_FIXTURE)
tests_unit_test_fcgi_keys_LDADD = $(FCGI_TEST_LIBS)
tests_unit_test_fcgi_redis_SOURCES = tests/unit/test_fcgi_redis.c tests/unit/redis_server.c tests/unit/redis_server.h tests/unit/unit.h
tests_unit_test_fcgi_redis_LDADD = $(FCGI_TEST_LIBS)
tests_unit_test_fcgi_registry_SOURCES = tests/unit/test_fcgi_registry.c $(FCGI_FIXTURE)
tests_unit_test_fcgi_registry_LDADD = $(FCGI_TEST_LIBS)
tests_unit_test_fcgi_shards_SOURCES = tests/unit/test_fcgi_shards.c $(FCGI_FIXTURE)
tests_unit_test_fcgi_shards_LDADD = $(FCGI_TEST_LIBS)
tests_unit_test_fcgi_server_SOURCES = tests/unit/test_fcgi_server.c \
	tests/unit/fcgi_client.c tests/unit/fcgi_client.h $(FCGI_FIXTURE)
tests_unit_test_fcgi_server_LDADD = $(FCGI_TEST_LIBS)
tests_unit_test_sd_SOURCES = tests/unit/test_sd.c tests/unit/unit.h
tests_unit_test_sd_LDADD = $(UNIT_LIBS)
endif
EXTRA_DIST += tests/unit/fcgi_client.c tests/unit/fcgi_client.h tests/unit/fcgi_fixture.c tests/unit/fcgi_fixture.h
