# SPDX-License-Identifier: Apache-2.0
# Units, sample configuration and man pages. Files with the paths of this installation are made from *.in.
pushd_units = \
	%D%/systemd/push-api.service \
	%D%/systemd/push-api.socket \
	%D%/systemd/pushd-websocket.socket \
	%D%/systemd/pushd.service

systemdsystemunit_DATA = $(pushd_units)
sysusers_DATA = %D%/sysusers.d/pushd.conf
tmpfiles_DATA = %D%/tmpfiles.d/pushd.conf

# A sample beside the user's own file, never over it.
pushdconf_DATA = %D%/config.json.sample

examplesdir = $(docdir)/examples
nginxexamplesdir = $(examplesdir)/nginx
lighttpdexamplesdir = $(examplesdir)/lighttpd
apacheexamplesdir = $(examplesdir)/apache
dist_nginxexamples_DATA = %D%/nginx/pushd.conf %D%/nginx/pushd-fastcgi.conf
dist_lighttpdexamples_DATA = %D%/lighttpd/pushd.conf
dist_apacheexamples_DATA = %D%/apache/pushd.conf

dist_man_MANS += pushctl/pushctl.1 pushd/pushd.8

EXTRA_DIST += \
	%D%/build.sh \
	%D%/config.json \
	%D%/demo/explain.js \
	%D%/demo/icon.svg \
	%D%/demo/inbox.css \
	%D%/demo/inbox.js \
	%D%/demo/index.html \
	%D%/quickstart.sh \
	%D%/quickstart/config.json.in \
	%D%/quickstart/demo-config.js.in \
	%D%/quickstart/lighttpd.conf.in \
	%D%/quickstart/nginx.conf.in \
	%D%/sysusers.d/pushd.conf \
	%D%/tmpfiles.d/pushd.conf.in \
	$(pushd_units:=.in)

pushd_expanded = $(pushd_units) %D%/tmpfiles.d/pushd.conf

$(pushd_expanded): Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(SED) -e 's|@bindir[@]|$(bindir)|g' \
	    -e 's|@sbindir[@]|$(sbindir)|g' \
	    -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	    -e 's|@runstatedir[@]|$(runstatedir)|g' $(srcdir)/$@.in >$@.tmp && \
	mv -f $@.tmp $@

%D%/systemd/push-api.service: %D%/systemd/push-api.service.in
%D%/systemd/push-api.socket: %D%/systemd/push-api.socket.in
%D%/systemd/pushd-websocket.socket: %D%/systemd/pushd-websocket.socket.in
%D%/systemd/pushd.service: %D%/systemd/pushd.service.in
%D%/tmpfiles.d/pushd.conf: %D%/tmpfiles.d/pushd.conf.in

%D%/config.json.sample: %D%/config.json Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(SED) -e 's|/run/pushd|$(runstatedir)/pushd|' $(srcdir)/%D%/config.json >$@.tmp && \
	mv -f $@.tmp $@

CLEANFILES += $(pushd_expanded) %D%/config.json.sample
