# SPDX-License-Identifier: Apache-2.0
# push-bench is built and run by `make bench` only: its figures depend on the machine and are no test.
EXTRA_PROGRAMS += %D%/push-bench
%C%_push_bench_SOURCES = \
	%D%/all.c \
	%D%/fanout.c \
	%D%/feature.c %D%/feature.h \
	%D%/features.c \
	%D%/flat.c \
	%D%/fleet.c %D%/fleet.h \
	%D%/fleet_read.c \
	%D%/floor.c %D%/floor.h \
	%D%/floor_serve.c \
	%D%/hist.c %D%/hist.h \
	%D%/hold.c \
	%D%/http.c %D%/http.h \
	%D%/main.c \
	%D%/opts.c %D%/opts.h \
	%D%/payload.c %D%/payload.h \
	%D%/phase.c \
	%D%/poller.c %D%/poller.h \
	%D%/procs.c %D%/procs.h \
	%D%/publish.c \
	%D%/publisher.c %D%/publisher.h \
	%D%/publisher_redis.c \
	%D%/report.c %D%/report.h \
	%D%/scenario.h \
	%D%/setup.c \
	%D%/side.c %D%/side.h \
	%D%/storm.c \
	%D%/target.c %D%/target.h \
	%D%/token.c %D%/token.h \
	%D%/util.c %D%/util.h
%C%_push_bench_LDADD = -lcrypto -lpthread
EXTRA_DIST += %D%/README.md %D%/run.sh
CLEANFILES += %D%/push-bench$(EXEEXT)

bench: all %D%/push-bench$(EXEEXT)
	PUSH_BENCH=./%D%/push-bench$(EXEEXT) PUSHD_BUILD=$(abs_builddir) $(srcdir)/%D%/run.sh
.PHONY: bench
