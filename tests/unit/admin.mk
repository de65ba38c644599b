# SPDX-License-Identifier: Apache-2.0
# Unit tests of the operators' port and of the counters; a fake struct control stands in for the real one.
if HAVE_CMOCKA
ADMIN_TEST_LIBS = pushd/libpushd.a $(UNIT_LIBS) $(MHD_LIBS) $(EV_LIBS) $(CURL_LIBS) -lm
ADMIN_FAKE = tests/unit/fake_control.c tests/unit/fake_control.h tests/unit/unit.h
check_PROGRAMS += \
	tests/unit/test_metrics tests/unit/test_admin_auth tests/unit/test_admin_parts \
	tests/unit/test_admin_status tests/unit/test_admin_http tests/unit/test_admin_limits
tests_unit_test_metrics_SOURCES = \
	tests/unit/test_metrics.c tests/unit/prom_text.c tests/unit/prom_text.h tests/unit/unit.h
tests_unit_test_metrics_LDADD = $(ADMIN_TEST_LIBS)
tests_unit_test_admin_auth_SOURCES = tests/unit/test_admin_auth.c tests/unit/unit.h
tests_unit_test_admin_auth_LDADD = $(ADMIN_TEST_LIBS)
tests_unit_test_admin_parts_SOURCES = tests/unit/test_admin_parts.c tests/unit/unit.h
tests_unit_test_admin_parts_LDADD = $(ADMIN_TEST_LIBS)
tests_unit_test_admin_status_SOURCES = tests/unit/test_admin_status.c \
	tests/unit/prom_text.c tests/unit/prom_text.h $(ADMIN_FAKE)
tests_unit_test_admin_status_LDADD = $(ADMIN_TEST_LIBS)
tests_unit_test_admin_http_SOURCES = tests/unit/test_admin_http.c \
	tests/unit/admin_port.c tests/unit/admin_port.h tests/unit/prom_text.c tests/unit/prom_text.h $(ADMIN_FAKE)
tests_unit_test_admin_http_LDADD = $(ADMIN_TEST_LIBS)
tests_unit_test_admin_limits_SOURCES = tests/unit/test_admin_limits.c \
	tests/unit/admin_port.c tests/unit/admin_port.h $(ADMIN_FAKE)
tests_unit_test_admin_limits_LDADD = $(ADMIN_TEST_LIBS)
endif
