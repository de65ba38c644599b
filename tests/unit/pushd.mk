# SPDX-License-Identifier: Apache-2.0
# Unit tests of the worker: framing, handshake, queues, timers, batch send.
if HAVE_CMOCKA
WORKER_TESTS = tests/unit/test_ws_frame tests/unit/test_upgrade tests/unit/test_outq tests/unit/test_wheel \
	tests/unit/test_batch_send tests/unit/test_recovery tests/unit/test_pace
check_PROGRAMS += $(WORKER_TESTS)
WORKER_TEST_LIBS = $(PUSHD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_ws_frame_SOURCES = tests/unit/test_ws_frame.c tests/unit/unit.h
tests_unit_test_ws_frame_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_upgrade_SOURCES = tests/unit/test_upgrade.c tests/unit/unit.h
tests_unit_test_upgrade_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_outq_SOURCES = tests/unit/test_outq.c tests/unit/unit.h
tests_unit_test_outq_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_wheel_SOURCES = tests/unit/test_wheel.c tests/unit/unit.h
tests_unit_test_wheel_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_batch_send_SOURCES = tests/unit/test_batch_send.c tests/unit/unit.h
tests_unit_test_batch_send_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_recovery_SOURCES = tests/unit/test_recovery.c tests/unit/unit.h
tests_unit_test_recovery_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_pace_SOURCES = tests/unit/test_pace.c tests/unit/unit.h
tests_unit_test_pace_LDADD = $(WORKER_TEST_LIBS)
endif
