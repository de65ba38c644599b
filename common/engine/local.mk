# SPDX-License-Identifier: Apache-2.0
# The Redis engine; the Lua scripts become a C file in the build directory.
ENGINE_LUA = \
	common/engine/lua/publish_once.lua \
	common/engine/lua/publish_stream.lua \
	common/engine/lua/publish_list.lua \
	common/engine/lua/history_stream.lua \
	common/engine/lua/history_list.lua \
	common/engine/lua/presence_add.lua \
	common/engine/lua/presence_remove.lua \
	common/engine/lua/presence_get.lua \
	common/engine/lua/presence_stats.lua

common_libcommon_a_SOURCES += \
	common/engine/engine.h common/engine/engine_private.h \
	common/engine/engine_error.c \
	common/engine/engine_history.c \
	common/engine/engine_keys.c \
	common/engine/engine_message.c \
	common/engine/engine_presence.c \
	common/engine/engine_publish.c \
	common/engine/rcmd.c common/engine/rcmd.h \
	common/engine/redis_url.c common/engine/redis_url.h \
	common/engine/script.c common/engine/script.h
nodist_common_libcommon_a_SOURCES = common/engine/lua_text.c

common/engine/lua_text.c: $(ENGINE_LUA) common/engine/lua_embed.sh
	$(AM_V_GEN)$(MKDIR_P) common/engine && \
	(cd $(srcdir) && sh common/engine/lua_embed.sh $(ENGINE_LUA)) > $@.tmp && mv $@.tmp $@

EXTRA_DIST += $(ENGINE_LUA) common/engine/lua_embed.sh
CLEANFILES += common/engine/lua_text.c common/engine/lua_text.c.tmp
