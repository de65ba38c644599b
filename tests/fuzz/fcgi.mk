# SPDX-License-Identifier: Apache-2.0
# Fuzz targets of push-api.
FCGI_FUZZ_LIBS = fcgi/libpushapi.a $(COMMON_LIBS)
check_PROGRAMS += tests/fuzz/fuzz_fcgi_api tests/fuzz/fuzz_fcgi_request tests/fuzz/fuzz_fcgi_session
tests_fuzz_fuzz_fcgi_api_SOURCES = tests/fuzz/fuzz_fcgi_api.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_fcgi_api_LDADD = $(FCGI_FUZZ_LIBS)
tests_fuzz_fuzz_fcgi_api_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_fcgi_request_SOURCES = tests/fuzz/fuzz_fcgi_request.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_fcgi_request_LDADD = $(FCGI_FUZZ_LIBS)
tests_fuzz_fuzz_fcgi_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_fcgi_session_SOURCES = tests/fuzz/fuzz_fcgi_session.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_fcgi_session_LDADD = $(FCGI_FUZZ_LIBS)
tests_fuzz_fuzz_fcgi_session_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/fuzz_fcgi_api.in tests/fuzz/fuzz_fcgi_request.in tests/fuzz/fuzz_fcgi_session.in
check_PROGRAMS += tests/fuzz/fuzz_fcgi_records
tests_fuzz_fuzz_fcgi_records_SOURCES = tests/fuzz/fuzz_fcgi_records.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_fcgi_records_LDADD = $(FCGI_FUZZ_LIBS) $(FCGI_LIBS)
tests_fuzz_fuzz_fcgi_records_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/fuzz_fcgi_records.in
