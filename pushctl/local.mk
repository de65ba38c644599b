# SPDX-License-Identifier: Apache-2.0
# pushctl: one file a sub-command.
bin_PROGRAMS += pushctl/pushctl
pushctl_pushctl_SOURCES = \
	pushctl/cmd_checkconfig.c \
	pushctl/cmd_checktoken.c \
	pushctl/cmd_connect.c \
	pushctl/cmd_genconfig.c \
	pushctl/cmd_gentoken.c \
	pushctl/cmd_print_config.c \
	pushctl/cmd_publish.c \
	pushctl/http.c \
	pushctl/http.h \
	pushctl/main.c \
	pushctl/net.c \
	pushctl/net.h \
	pushctl/pushctl.h \
	pushctl/session.c \
	pushctl/session.h \
	pushctl/token_fetch.c \
	pushctl/token_fetch.h \
	pushctl/token_guess.c \
	pushctl/token_guess.h \
	pushctl/token_show.c \
	pushctl/token_show.h \
	pushctl/util.c \
	pushctl/words.c \
	pushctl/words.h \
	pushctl/ws_client.c \
	pushctl/ws_client.h
pushctl_pushctl_LDADD = $(COMMON_LIBS) $(CURL_LIBS) -lm
