# SPDX-License-Identifier: Apache-2.0
# push-api: all but its main is a library, so that tests and fuzz targets link it.
noinst_LIBRARIES += fcgi/libpushapi.a
fcgi_libpushapi_a_SOURCES = \
	fcgi/api.c fcgi/api.h \
	fcgi/api_batch.c fcgi/api_cluster.c fcgi/api_control.c fcgi/api_engine.c \
	fcgi/api_legacy.c fcgi/api_permit.c fcgi/api_publish.c fcgi/api_read.c fcgi/api_token.c \
	fcgi/auth.c fcgi/auth.h \
	fcgi/listener.c fcgi/listener.h \
	fcgi/query.c fcgi/query.h \
	fcgi/records.c fcgi/records.h \
	fcgi/redis_sync.c fcgi/redis_sync.h fcgi/redis_target.c \
	fcgi/redis_shards.c fcgi/redis_shards.h \
	fcgi/registry.c fcgi/registry.h fcgi/registry_own.h fcgi/registry_thread.c \
	fcgi/request.c fcgi/request.h \
	fcgi/response.c fcgi/response.h \
	fcgi/router.c fcgi/router.h \
	fcgi/serve.c fcgi/serve.h \
	fcgi/server.c fcgi/server.h fcgi/server_conn.c fcgi/server_own.h \
	fcgi/session.c fcgi/session.h \
	fcgi/template.c fcgi/template.h

sbin_PROGRAMS += fcgi/push-api
fcgi_push_api_SOURCES = fcgi/main.c
fcgi_push_api_LDADD = fcgi/libpushapi.a $(COMMON_LIBS) $(FCGI_LIBS) -lm

dist_man_MANS += fcgi/push-api.8
