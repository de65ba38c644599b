# SPDX-License-Identifier: Apache-2.0
# Tokens: claims, keys, verification, minting.
common_libcommon_a_SOURCES += \
	common/policy/claims.c common/policy/claims.h \
	common/policy/claims_rows.h \
	common/policy/claims_rules.c \
	common/policy/claims_subs.c \
	common/policy/jwks.c common/policy/jwks.h \
	common/policy/jwks_answer.c common/policy/jwks_cache.c \
	common/policy/jwks_url.c common/policy/jwks_url.h \
	common/policy/token.c common/policy/token.h \
	common/policy/token_hmac.c \
	common/policy/token_keys.h \
	common/policy/token_mint.c \
	common/policy/token_pubkey.c \
	common/policy/token_split.c
