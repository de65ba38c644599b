# SPDX-License-Identifier: Apache-2.0
# Fuzz targets: one file, one corpus folder NAME.in; replayed by make check, fuzzed after ./configure CC=clang --enable-fuzz.
AM_TESTS_ENVIRONMENT = FUZZ_CORPUS_DIR='$(abs_srcdir)/tests/fuzz'; export FUZZ_CORPUS_DIR; \
	UNIT_DATA_DIR='$(abs_srcdir)/tests/unit/data'; export UNIT_DATA_DIR;
if ENABLE_FUZZ
FUZZ_MAIN =
FUZZ_LINK = $(FUZZ_LDFLAGS)
else
FUZZ_MAIN = tests/fuzz/main.c
FUZZ_LINK =
endif

include tests/fuzz/base.mk
include tests/fuzz/engine.mk
include tests/fuzz/conf.mk
include tests/fuzz/token.mk
include tests/fuzz/fcgi.mk
include tests/fuzz/pushd.mk
include tests/fuzz/delta.mk
include tests/fuzz/deflate.mk
