# SPDX-License-Identifier: Apache-2.0
# Configuration and channel rules.
common_libcommon_a_SOURCES += \
	common/base/version.c common/base/version.h \
	common/policy/api_key.c common/policy/api_key.h \
	common/policy/channel.c common/policy/channel.h \
	common/policy/conf.c common/policy/conf.h \
	common/policy/conf_check.c common/policy/conf_check_keys.c common/policy/conf_check_pushd.c \
	common/policy/conf_duration.c \
	common/policy/conf_env.c \
	common/policy/conf_foreign.c common/policy/conf_foreign.h \
	common/policy/conf_json.c \
	common/policy/conf_load.c common/policy/conf_loader.h \
	common/policy/conf_near.c \
	common/policy/conf_print.c \
	common/policy/conf_report.c \
	common/policy/conf_rows.c common/policy/conf_rows_key.c common/policy/conf_rows_ns.c \
	common/policy/conf_schema.c common/policy/conf_schema.h \
	common/policy/conf_value.c common/policy/conf_value.h \
	common/policy/glob.c \
	common/policy/origin.c \
	common/policy/rx.c common/policy/rx.h \
	common/policy/rx_capture.c common/policy/rx_class.c common/policy/rx_parse.c \
	common/policy/rx_program.h common/policy/rx_tree.c common/policy/rx_tree.h \
	common/policy/utf8.c common/policy/utf8.h

dist_man_MANS += pushd/pushd.json.5
