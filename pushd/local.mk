# SPDX-License-Identifier: Apache-2.0
# pushd: the daemon as a library, and a main.
noinst_LIBRARIES += pushd/libpushd.a
pushd_libpushd_a_SOURCES = \
	pushd/server.c pushd/server.h \
	pushd/pidfile.c pushd/pidfile.h \
	pushd/sockets.c pushd/sockets.h \
	pushd/fetch/fetcher.c pushd/fetch/fetcher.h \
	pushd/worker/accept.c pushd/worker/accept.h \
	pushd/worker/batch_send.c pushd/worker/batch_send.h \
	pushd/worker/client_cmd.c pushd/worker/client_cmd.h \
	pushd/worker/cmd_connect.c pushd/worker/cmd_publish.c pushd/worker/cmd_read.c \
	pushd/worker/cmd_refresh.c pushd/worker/cmd_rpc.c pushd/worker/cmd_subscribe.c \
	pushd/worker/command.c pushd/worker/command.h \
	pushd/worker/conn.c pushd/worker/conn.h pushd/worker/conn_input.c pushd/worker/conn_send.c \
	pushd/worker/flush.c pushd/worker/flush.h \
	pushd/worker/key_wait.c pushd/worker/key_wait.h \
	pushd/worker/hub.c pushd/worker/hub.h \
	pushd/worker/limits.c pushd/worker/limits.h \
	pushd/worker/outq.c pushd/worker/outq.h \
	pushd/worker/pace.c pushd/worker/pace.h \
	pushd/worker/recovery.c pushd/worker/recovery.h \
	pushd/worker/sub.c pushd/worker/sub.h \
	pushd/worker/sub_deliver.c pushd/worker/sub_start.c \
	pushd/worker/upgrade.c pushd/worker/upgrade.h \
	pushd/worker/wheel.c pushd/worker/wheel.h \
	pushd/worker/worker.c pushd/worker/worker.h \
	pushd/worker/ws.c pushd/worker/ws.h \
	pushd/worker/ws_frame.c pushd/worker/ws_frame.h
PUSHD_LIBS = pushd/libpushd.a $(COMMON_LIBS) $(LWS_LIBS) $(MHD_LIBS) $(EV_LIBS) $(URING_LIBS) $(CURL_LIBS) -lm

include pushd/control/local.mk
include pushd/admin/local.mk

sbin_PROGRAMS += pushd/pushd
pushd_pushd_SOURCES = pushd/main.c
pushd_pushd_LDADD = $(PUSHD_LIBS)
