# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/fuzz/fuzz_engine_message tests/fuzz/fuzz_redis_url
EXTRA_DIST += tests/fuzz/fuzz_engine_message.in tests/fuzz/fuzz_redis_url.in

tests_fuzz_fuzz_engine_message_SOURCES = tests/fuzz/fuzz_engine_message.c $(FUZZ_MAIN)
tests_fuzz_fuzz_engine_message_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_engine_message_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

tests_fuzz_fuzz_redis_url_SOURCES = tests/fuzz/fuzz_redis_url.c $(FUZZ_MAIN)
tests_fuzz_fuzz_redis_url_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_redis_url_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
