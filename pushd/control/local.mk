# SPDX-License-Identifier: Apache-2.0
# The control thread, and what it shares with the workers.
PUSHD_CONTROL = \
	pushd/bus.c pushd/bus.h \
	pushd/msg.c pushd/msg.h \
	pushd/control/broker.c pushd/control/broker.h pushd/control/broker_private.h pushd/control/broker_redis.c \
	pushd/control/control.c pushd/control/control.h pushd/control/control_private.h \
	pushd/control/figures.c pushd/control/figures.h \
	pushd/control/keys.c pushd/control/keys.h \
	pushd/control/node.c pushd/control/node.h \
	pushd/control/redis_conn.c pushd/control/redis_conn.h \
	pushd/control/redis_link.c pushd/control/redis_link.h \
	pushd/control/redis_story.c pushd/control/redis_story.h \
	pushd/control/redis_sub.c pushd/control/redis_sub.h \
	pushd/control/registry.c pushd/control/registry.h \
	pushd/control/resolve.c pushd/control/resolve.h \
	pushd/control/service.c pushd/control/service.h \
	pushd/control/shards.c pushd/control/shards.h \
	pushd/control/survey.c pushd/control/survey.h \
	pushd/control/worker_set.h pushd/control/users.c pushd/control/users.h
pushd_libpushd_a_SOURCES += $(PUSHD_CONTROL)
