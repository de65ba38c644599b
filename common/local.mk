# SPDX-License-Identifier: Apache-2.0
# The library that all programs share: layers, lowest first; each fragment lists its files.
noinst_LIBRARIES += common/libcommon.a
common_libcommon_a_SOURCES =
COMMON_LIBS = common/libcommon.a $(HIREDIS_LIBS) $(JWT_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS)

common_libcommon_a_SOURCES += \
	common/base/arena.c common/base/arena.h \
	common/base/backoff.c common/base/backoff.h \
	common/base/base.h \
	common/base/clk.c common/base/clk.h \
	common/base/err.c common/base/err.h \
	common/base/fetch.c common/base/fetch.h \
	common/base/hash.c common/base/hash.h \
	common/base/htab.c common/base/htab.h \
	common/base/list.h \
	common/base/listen.c common/base/listen.h \
	common/base/log.c common/base/log.h \
	common/base/mem.c common/base/mem.h \
	common/base/priv.c common/base/priv.h \
	common/base/rnd.c common/base/rnd.h \
	common/base/sd.c common/base/sd.h \
	common/base/spsc.c common/base/spsc.h \
	common/base/str.c common/base/str.h

common_libcommon_a_SOURCES += \
	common/format/b64.c common/format/b64.h \
	common/format/deflate.c common/format/deflate.h \
	common/format/fossil.c common/format/fossil.h \
	common/format/jscan.c common/format/jscan.h \
	common/format/jwrite.c common/format/jwrite.h \
	common/format/pbwire.c common/format/pbwire.h \
	common/format/schema.c common/format/schema.h \
	common/format/schema_json.c common/format/schema_pb.c common/format/schema_util.h

common_libcommon_a_SOURCES += \
	common/protocol/api.h common/protocol/api_schema.c \
	common/protocol/control.h common/protocol/control_schema.c \
	common/protocol/frame.c common/protocol/frame.h \
	common/protocol/perr.c common/protocol/perr.h \
	common/protocol/proto.h common/protocol/proto_schema.c common/protocol/proto_command_schema.c

common_libcommon_a_SOURCES += common/policy/tags_filter.c common/policy/tags_filter.h

include common/policy/conf.mk
include common/policy/token.mk
include common/engine/local.mk
