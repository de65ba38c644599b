# SPDX-License-Identifier: Apache-2.0
# Unit tests of deltas, compression, tag filters and the limits of a node.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_fossil tests/unit/test_deflate tests/unit/test_tags_filter tests/unit/test_limits
tests_unit_test_fossil_SOURCES = tests/unit/test_fossil.c tests/unit/unit.h
tests_unit_test_fossil_LDADD = $(UNIT_LIBS)
tests_unit_test_deflate_SOURCES = tests/unit/test_deflate.c tests/unit/unit.h
tests_unit_test_deflate_LDADD = $(UNIT_LIBS)
tests_unit_test_tags_filter_SOURCES = tests/unit/test_tags_filter.c tests/unit/unit.h
tests_unit_test_tags_filter_LDADD = $(UNIT_LIBS)
tests_unit_test_limits_SOURCES = tests/unit/test_limits.c tests/unit/unit.h
tests_unit_test_limits_LDADD = $(PUSHD_LIBS) $(CMOCKA_LIBS)
endif
