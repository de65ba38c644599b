# SPDX-License-Identifier: Apache-2.0
# The HTTP port for operators; page.html becomes string literals.
pushd_libpushd_a_SOURCES += \
	pushd/admin/acceptor.c pushd/admin/acceptor.h \
	pushd/admin/admin.c pushd/admin/admin.h \
	pushd/admin/auth.c pushd/admin/auth.h \
	pushd/admin/form.c pushd/admin/form.h \
	pushd/admin/framing.c pushd/admin/framing.h \
	pushd/admin/gauges.c \
	pushd/admin/http.c pushd/admin/http.h \
	pushd/admin/page.c pushd/admin/page.h \
	pushd/admin/process.c pushd/admin/process.h \
	pushd/admin/routes.c pushd/admin/routes.h \
	pushd/admin/status.c pushd/admin/status.h \
	pushd/metrics.c pushd/metrics_reason.c pushd/metrics.h
EXTRA_DIST += pushd/admin/page.html pushd/admin/page.sed
BUILT_SOURCES += pushd/admin/page_html.h
CLEANFILES += pushd/admin/page_html.h

pushd/admin/page_html.h: pushd/admin/page.html pushd/admin/page.sed
	$(AM_V_GEN)$(MKDIR_P) pushd/admin && \
	$(SED) -f $(srcdir)/pushd/admin/page.sed $(srcdir)/pushd/admin/page.html > $@.tmp && mv $@.tmp $@
pushd/admin/page.$(OBJEXT): pushd/admin/page_html.h
