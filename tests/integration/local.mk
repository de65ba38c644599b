# SPDX-License-Identifier: Apache-2.0
# Integration tests and lint: run by tests/run.sh, here only to be part of a release.
EXTRA_DIST += tests/run.sh \
	tests/lint/check.py tests/lint/run.sh \
	tests/compat/README.md tests/compat/launch tests/compat/sdk.js tests/compat/sdk_deflate.js tests/compat/test_sdk.py \
	tests/compat/libraries.py tests/compat/cent_call.js tests/compat/test_server_libraries.py \
	tests/compat/sdk_python.py tests/compat/sdk_go/go.mod tests/compat/sdk_go/go.sum \
	tests/compat/sdk_go/main.go tests/compat/test_client_libraries.py \
	%D%/run.py %D%/lsan.supp \
	%D%/harness/__init__.py %D%/harness/browser.py %D%/harness/check.py %D%/harness/fronts.py \
	%D%/harness/process.py %D%/harness/resp.py %D%/harness/system.py %D%/harness/tokens.py \
	%D%/harness/wait.py %D%/harness/web.py %D%/harness/ws.py \
	%D%/test_admin.py %D%/test_api.py %D%/test_bad_input.py %D%/test_bytes.py %D%/test_compression.py %D%/test_connection.py \
	%D%/test_demo.py %D%/test_guide.py %D%/test_install.py %D%/test_pushctl.py %D%/test_redis_faults.py \
	%D%/test_shutdown.py %D%/test_slow_client.py %D%/test_startup.py %D%/test_systemd.py \
	%D%/test_token_endpoint.py %D%/test_two_nodes.py
