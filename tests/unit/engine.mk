# SPDX-License-Identifier: Apache-2.0
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_rcmd tests/unit/test_redis_url tests/unit/test_engine tests/unit/test_engine_redis

tests_unit_test_rcmd_SOURCES = tests/unit/test_rcmd.c tests/unit/unit.h
tests_unit_test_rcmd_LDADD = $(UNIT_LIBS)

tests_unit_test_redis_url_SOURCES = tests/unit/test_redis_url.c tests/unit/unit.h
tests_unit_test_redis_url_LDADD = $(UNIT_LIBS)

tests_unit_test_engine_SOURCES = tests/unit/test_engine.c tests/unit/unit.h
tests_unit_test_engine_LDADD = $(UNIT_LIBS)

tests_unit_test_engine_redis_SOURCES = tests/unit/test_engine_redis.c tests/unit/unit.h \
	tests/unit/redis_server.c tests/unit/redis_server.h
tests_unit_test_engine_redis_LDADD = $(UNIT_LIBS)
endif
