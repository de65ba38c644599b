# SPDX-License-Identifier: Apache-2.0
# pushctl: one file a sub-command.
bin_PROGRAMS += pushctl/pushctl
pushctl_pushctl_SOURCES = \
	pushctl/cmd_checkconfig.c \
	pushctl/cmd_genconfig.c \
	pushctl/cmd_print_config.c \
	pushctl/main.c \
	pushctl/pushctl.h \
	pushctl/util.c
pushctl_pushctl_LDADD = $(COMMON_LIBS) -lm
