# SPDX-License-Identifier: Apache-2.0
# Unit tests of the engine, of messages and the bus, and of the control thread with a redis-server of its own.
if HAVE_CMOCKA
REDIS_SERVER = tests/unit/redis_server.c tests/unit/redis_server.h
ENGINE_FIXTURE = tests/unit/engine_fixture.c tests/unit/engine_fixture.h $(REDIS_SERVER)
CONTROL_FIXTURE = tests/unit/control_fixture.c tests/unit/control_fixture.h \
	tests/unit/bystander.c tests/unit/bystander.h $(REDIS_SERVER)
CONTROL_TEST_LIBS = pushd/libpushd.a $(COMMON_LIBS) $(EV_LIBS) $(CURL_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_rcmd tests/unit/test_redis_url tests/unit/test_engine tests/unit/test_engine_redis \
	tests/unit/test_engine_presence \
	tests/unit/test_msg tests/unit/test_bus tests/unit/test_figures tests/unit/test_control tests/unit/test_control_outage \
	tests/unit/test_control_shards
tests_unit_test_rcmd_SOURCES = tests/unit/test_rcmd.c tests/unit/unit.h
tests_unit_test_rcmd_LDADD = $(UNIT_LIBS)
tests_unit_test_redis_url_SOURCES = tests/unit/test_redis_url.c tests/unit/unit.h
tests_unit_test_redis_url_LDADD = $(UNIT_LIBS)
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c tests/unit/unit.h
tests_unit_test_engine_LDADD = $(UNIT_LIBS)
tests_unit_test_engine_redis_SOURCES = tests/unit/test_engine_redis.c tests/unit/unit.h $(ENGINE_FIXTURE)
tests_unit_test_engine_redis_LDADD = $(UNIT_LIBS)
tests_unit_test_engine_presence_SOURCES = tests/unit/test_engine_presence.c tests/unit/unit.h $(ENGINE_FIXTURE)
tests_unit_test_engine_presence_LDADD = $(UNIT_LIBS)
tests_unit_test_msg_SOURCES = tests/unit/test_msg.c tests/unit/unit.h
tests_unit_test_msg_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_test_bus_SOURCES = tests/unit/test_bus.c tests/unit/unit.h
tests_unit_test_bus_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_test_figures_SOURCES = tests/unit/test_figures.c tests/unit/unit.h
tests_unit_test_figures_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_test_control_SOURCES = tests/unit/test_control.c tests/unit/unit.h $(CONTROL_FIXTURE)
tests_unit_test_control_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_test_control_outage_SOURCES = tests/unit/test_control_outage.c tests/unit/unit.h $(CONTROL_FIXTURE)
tests_unit_test_control_outage_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_test_control_shards_SOURCES = tests/unit/test_control_shards.c tests/unit/unit.h $(CONTROL_FIXTURE)
tests_unit_test_control_shards_LDADD = $(CONTROL_TEST_LIBS)
endif
