# SPDX-License-Identifier: Apache-2.0
# Fuzz targets of common/format and common/protocol; their corpora come from recorded frames.
check_PROGRAMS += tests/fuzz/fuzz_jscan tests/fuzz/fuzz_schema_json tests/fuzz/fuzz_schema_pb tests/fuzz/fuzz_frame
tests_fuzz_fuzz_jscan_SOURCES = tests/fuzz/fuzz_jscan.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_jscan_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_jscan_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_schema_json_SOURCES = tests/fuzz/fuzz_schema_json.c tests/fuzz/fuzz_util.h tests/unit/schemas.h $(FUZZ_MAIN)
tests_fuzz_fuzz_schema_json_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_schema_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_schema_pb_SOURCES = tests/fuzz/fuzz_schema_pb.c tests/fuzz/fuzz_util.h tests/unit/schemas.h $(FUZZ_MAIN)
tests_fuzz_fuzz_schema_pb_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_schema_pb_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c tests/fuzz/fuzz_util.h $(FUZZ_MAIN)
tests_fuzz_fuzz_frame_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
EXTRA_DIST += tests/fuzz/fuzz_util.h \
	tests/fuzz/fuzz_jscan.in tests/fuzz/fuzz_schema_json.in tests/fuzz/fuzz_schema_pb.in tests/fuzz/fuzz_frame.in
