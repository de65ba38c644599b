# SPDX-License-Identifier: Apache-2.0
# Unit tests of common/base, common/format and common/protocol.
if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/test_str tests/unit/test_base tests/unit/test_htab tests/unit/test_log \
	tests/unit/test_jscan tests/unit/test_format tests/unit/test_schema tests/unit/test_protocol \
	tests/unit/test_deflate
tests_unit_test_str_SOURCES = tests/unit/test_str.c tests/unit/unit.h
tests_unit_test_str_LDADD = $(UNIT_LIBS)
tests_unit_test_base_SOURCES = tests/unit/test_base.c tests/unit/unit.h
tests_unit_test_base_LDADD = $(UNIT_LIBS)
tests_unit_test_htab_SOURCES = tests/unit/test_htab.c tests/unit/unit.h
tests_unit_test_htab_LDADD = $(UNIT_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c tests/unit/unit.h
tests_unit_test_log_LDADD = $(UNIT_LIBS)
tests_unit_test_jscan_SOURCES = tests/unit/test_jscan.c tests/unit/unit.h
tests_unit_test_jscan_LDADD = $(UNIT_LIBS)
tests_unit_test_format_SOURCES = tests/unit/test_format.c tests/unit/unit.h
tests_unit_test_format_LDADD = $(UNIT_LIBS)
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c tests/unit/schemas.h tests/unit/unit.h
tests_unit_test_schema_LDADD = $(UNIT_LIBS)
tests_unit_test_protocol_SOURCES = tests/unit/test_protocol.c tests/unit/schemas.h tests/unit/unit.h
tests_unit_test_protocol_LDADD = $(UNIT_LIBS)
tests_unit_test_deflate_SOURCES = tests/unit/test_deflate.c tests/unit/unit.h
tests_unit_test_deflate_LDADD = $(UNIT_LIBS)
endif
EXTRA_DIST += tests/unit/schemas.h
