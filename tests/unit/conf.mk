# SPDX-License-Identifier: Apache-2.0
# Unit tests of configuration, channels and patterns.
if HAVE_CMOCKA
CONF_FIXTURE = tests/unit/conf_fixture.c tests/unit/conf_fixture.h tests/unit/unit.h
check_PROGRAMS += tests/unit/test_channel tests/unit/test_conf tests/unit/test_conf_env tests/unit/test_conf_files tests/unit/test_conf_keys tests/unit/test_conf_page \
	tests/unit/test_conf_values tests/unit/test_glob
tests_unit_test_channel_SOURCES = tests/unit/test_channel.c tests/unit/unit.h
tests_unit_test_channel_LDADD = $(UNIT_LIBS)
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c $(CONF_FIXTURE)
tests_unit_test_conf_LDADD = $(UNIT_LIBS)
tests_unit_test_conf_env_SOURCES = tests/unit/test_conf_env.c $(CONF_FIXTURE)
tests_unit_test_conf_env_LDADD = $(UNIT_LIBS)
tests_unit_test_conf_files_SOURCES = tests/unit/test_conf_files.c tests/unit/unit.h
tests_unit_test_conf_files_LDADD = $(UNIT_LIBS)
tests_unit_test_conf_keys_SOURCES = tests/unit/test_conf_keys.c $(CONF_FIXTURE)
tests_unit_test_conf_keys_LDADD = $(UNIT_LIBS)
tests_unit_test_conf_page_SOURCES = tests/unit/test_conf_page.c tests/unit/conf_page.c tests/unit/conf_page.h tests/unit/unit.h
tests_unit_test_conf_page_LDADD = $(UNIT_LIBS)
tests_unit_test_conf_values_SOURCES = tests/unit/test_conf_values.c tests/unit/unit.h
tests_unit_test_conf_values_LDADD = $(UNIT_LIBS)
tests_unit_test_glob_SOURCES = tests/unit/test_glob.c tests/unit/unit.h
tests_unit_test_glob_LDADD = $(UNIT_LIBS)
endif
EXTRA_DIST += tests/unit/data/conf tests/unit/conf_fixture.c tests/unit/conf_fixture.h
TESTS += tests/unit/test_pushctl_config.sh
EXTRA_DIST += tests/unit/test_pushctl_config.sh
