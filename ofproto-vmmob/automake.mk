# SPDX-License-Identifier: Apache-2.0

# What we add to Open vSwitch's lists.  Open vSwitch's Makefile.am includes
# this file after its own.

# The module in ovs-vswitchd: what is pure in a library of its own, for the
# tests.
noinst_LTLIBRARIES += ofproto-vmmob/libvmmob.la
ofproto_vmmob_libvmmob_la_SOURCES = \
	ofproto-vmmob/damping.c \
	ofproto-vmmob/damping.h \
	ofproto-vmmob/expiry.h \
	ofproto-vmmob/fairq.c \
	ofproto-vmmob/fairq.h \
	ofproto-vmmob/flow-index.c \
	ofproto-vmmob/flow-index.h \
	ofproto-vmmob/frame.c \
	ofproto-vmmob/frame.h \
	ofproto-vmmob/handover.c \
	ofproto-vmmob/handover.h \
	ofproto-vmmob/handover-ask.c \
	ofproto-vmmob/handover-ask.h \
	ofproto-vmmob/handover-claim.c \
	ofproto-vmmob/handover-claim.h \
	ofproto-vmmob/handover-copy.c \
	ofproto-vmmob/handover-copy.h \
	ofproto-vmmob/handover-core.h \
	ofproto-vmmob/handover-journal.c \
	ofproto-vmmob/handover-journal.h \
	ofproto-vmmob/handover-ofs.c \
	ofproto-vmmob/handover-ofs.h \
	ofproto-vmmob/handover-seat.c \
	ofproto-vmmob/handover-seat.h \
	ofproto-vmmob/handover-state.c \
	ofproto-vmmob/handover-state.h \
	ofproto-vmmob/handover-unused.c \
	ofproto-vmmob/handover-unused.h \
	ofproto-vmmob/handover-use.c \
	ofproto-vmmob/handover-use.h \
	ofproto-vmmob/handover-vmn.c \
	ofproto-vmmob/handover-vmn.h \
	ofproto-vmmob/icmp6.c \
	ofproto-vmmob/icmp6.h \
	ofproto-vmmob/moves.c \
	ofproto-vmmob/moves.h \
	ofproto-vmmob/nd.c \
	ofproto-vmmob/nd.h \
	ofproto-vmmob/network.c \
	ofproto-vmmob/network.h \
	ofproto-vmmob/pipeline-action.c \
	ofproto-vmmob/pipeline-action.h \
	ofproto-vmmob/pipeline-network.c \
	ofproto-vmmob/pipeline-network.h \
	ofproto-vmmob/pipeline-rule.h \
	ofproto-vmmob/pipeline-vmn.c \
	ofproto-vmmob/pipeline-vmn.h \
	ofproto-vmmob/pipeline.c \
	ofproto-vmmob/pipeline.h \
	ofproto-vmmob/pipeline-table.c \
	ofproto-vmmob/pipeline-table.h \
	ofproto-vmmob/pool.c \
	ofproto-vmmob/pool.h \
	ofproto-vmmob/pool-claim.c \
	ofproto-vmmob/pool-claim.h \
	ofproto-vmmob/port-config.c \
	ofproto-vmmob/port-config.h \
	ofproto-vmmob/port-map.c \
	ofproto-vmmob/port-map.h \
	ofproto-vmmob/port-table.c \
	ofproto-vmmob/port-table.h \
	ofproto-vmmob/punt-kind.c \
	ofproto-vmmob/punt-kind.h \
	ofproto-vmmob/resolver.c \
	ofproto-vmmob/resolver.h \
	ofproto-vmmob/router.c \
	ofproto-vmmob/router.h \
	ofproto-vmmob/settings.c \
	ofproto-vmmob/settings.h \
	ofproto-vmmob/tail.c \
	ofproto-vmmob/tail.h
ofproto_libofproto_la_LIBADD += ofproto-vmmob/libvmmob.la
ofproto_libofproto_la_SOURCES += \
	ofproto-vmmob/advert.c \
	ofproto-vmmob/advert.h \
	ofproto-vmmob/agent.c \
	ofproto-vmmob/agent.h \
	ofproto-vmmob/bridge.c \
	ofproto-vmmob/bridge.h \
	ofproto-vmmob/bridge-gone.c \
	ofproto-vmmob/bridge-gone.h \
	ofproto-vmmob/bridge-list.c \
	ofproto-vmmob/bridge-list.h \
	ofproto-vmmob/effects.c \
	ofproto-vmmob/effects.h \
	ofproto-vmmob/gateway.c \
	ofproto-vmmob/gateway.h \
	ofproto-vmmob/module.c \
	ofproto-vmmob/module.h \
	ofproto-vmmob/output.c \
	ofproto-vmmob/output.h \
	ofproto-vmmob/packet.c \
	ofproto-vmmob/packet.h \
	ofproto-vmmob/problems.c \
	ofproto-vmmob/problems.h \
	ofproto-vmmob/punt.c \
	ofproto-vmmob/punt.h \
	ofproto-vmmob/refresh.c \
	ofproto-vmmob/refresh.h \
	ofproto-vmmob/rules.c \
	ofproto-vmmob/rules.h \
	ofproto-vmmob/show.c \
	ofproto-vmmob/show.h \
	ofproto-vmmob/show-rows.c \
	ofproto-vmmob/show-rows.h \
	ofproto-vmmob/stats.c \
	ofproto-vmmob/stats.h \
	ofproto-vmmob/vm-port.c \
	ofproto-vmmob/vm-port.h \
	ofproto-vmmob/vmmob.c \
	ofproto-vmmob/vmmob.h \
	ofproto-vmmob/watch.c \
	ofproto-vmmob/watch.h

# Just for ovs-vswitchd.
lib_libopenvswitch_la_SOURCES += \
	lib/vmmob-csum.c \
	lib/vmmob-csum.h \
	lib/vmmob-compat.h \
	lib/vmmob-hash.c \
	lib/vmmob-hash.h \
	lib/vmmob-message-limit.c \
	lib/vmmob-message-limit.h \
	lib/vmmob-release.h

# Common to ovs-vswitchd and ovs-vmmobd.
lib_libopenvswitch_la_SOURCES += \
	lib/vmmob-addr.c \
	lib/vmmob-addr.h \
	lib/vmmob-addr-index.c \
	lib/vmmob-addr-index.h \
	lib/vmmob-binding.c \
	lib/vmmob-binding.h \
	lib/vmmob-binding-json.c \
	lib/vmmob-binding-json.h \
	lib/vmmob-json.c \
	lib/vmmob-json.h \
	lib/vmmob-msg.c \
	lib/vmmob-msg.h \
	lib/vmmob-network.c \
	lib/vmmob-network.h \
	lib/vmmob-prefix-set.c \
	lib/vmmob-prefix-set.h \
	lib/vmmob-problems.c \
	lib/vmmob-problems.h \
	lib/vmmob-reply.c \
	lib/vmmob-reply.h \
	lib/vmmob-stats.c \
	lib/vmmob-stats.h \
	lib/vmmob-sync.c \
	lib/vmmob-sync.h \
	lib/vmmob-table.c \
	lib/vmmob-table.h

# The sync agent: all but its main loop in a library, for the tests.
VMMOBD_SOURCES = \
	utilities/vmmobd-agent.c \
	utilities/vmmobd-agent.h \
	utilities/vmmobd-cert.c \
	utilities/vmmobd-cert.h \
	utilities/vmmobd-check.c \
	utilities/vmmobd-check.h \
	utilities/vmmobd-conf.c \
	utilities/vmmobd-conf.h \
	utilities/vmmobd-known.c \
	utilities/vmmobd-known.h \
	utilities/vmmobd-limits.c \
	utilities/vmmobd-limits.h \
	utilities/vmmobd-listener.c \
	utilities/vmmobd-listener.h \
	utilities/vmmobd-metrics.c \
	utilities/vmmobd-metrics.h \
	utilities/vmmobd-networks.c \
	utilities/vmmobd-networks.h \
	utilities/vmmobd-ports.c \
	utilities/vmmobd-ports.h \
	utilities/vmmobd-problems.c \
	utilities/vmmobd-problems.h \
	utilities/vmmobd-publisher.c \
	utilities/vmmobd-publisher.h \
	utilities/vmmobd-record.c \
	utilities/vmmobd-record.h \
	utilities/vmmobd-rowset.c \
	utilities/vmmobd-rowset.h \
	utilities/vmmobd-scope.c \
	utilities/vmmobd-scope.h \
	utilities/vmmobd-settings.c \
	utilities/vmmobd-settings.h \
	utilities/vmmobd-show.c \
	utilities/vmmobd-show.h \
	utilities/vmmobd-sitedb.c \
	utilities/vmmobd-sitedb.h \
	utilities/vmmobd-switch.c \
	utilities/vmmobd-switch.h
noinst_LTLIBRARIES += utilities/libvmmobd.la
utilities_libvmmobd_la_SOURCES = $(VMMOBD_SOURCES)
nodist_utilities_libvmmobd_la_SOURCES = \
	utilities/vmmob-idl.c \
	utilities/vmmob-idl.h
sbin_PROGRAMS += utilities/ovs-vmmobd
utilities_ovs_vmmobd_SOURCES = utilities/ovs-vmmobd.c
utilities_ovs_vmmobd_LDADD = \
	utilities/libvmmobd.la \
	lib/libopenvswitch.la
MAN_ROOTS += utilities/ovs-vmmobd.8.in
man_MANS += utilities/ovs-vmmobd.8
CLEANFILES += utilities/ovs-vmmobd.8

scripts_SCRIPTS += utilities/vmmob-ctl
EXTRA_DIST += utilities/vmmob-ctl.in
MAN_ROOTS += utilities/vmmob-ctl.8.in
man_MANS += utilities/vmmob-ctl.8
CLEANFILES += utilities/vmmob-ctl utilities/vmmob-ctl.8

# For libvirt's directory of hooks.
scripts_SCRIPTS += utilities/vmmob-libvirt-hook
EXTRA_DIST += utilities/vmmob-libvirt-hook
FLAKE8_PYFILES += utilities/vmmob-libvirt-hook

# For operators.
MAN_ROOTS += utilities/vmmob.7.in
man_MANS += utilities/vmmob.7
CLEANFILES += utilities/vmmob.7
MAN_FRAGMENTS += \
	ofproto-vmmob/vmmob-flows.man \
	ofproto-vmmob/vmmob-networks.man \
	ofproto-vmmob/vmmob-unixctl.man

# For Prometheus.
EXTRA_DIST += utilities/vmmob-alerts.yml tests/vmmob-alerts.yml
pkgdata_DATA += utilities/vmmob-alerts.yml

# What commands print with "json".
EXTRA_DIST += utilities/vmmob-json.schema
pkgdata_DATA += utilities/vmmob-json.schema

# The VM_Mobility database.
EXTRA_DIST += utilities/vmmob.ovsschema
pkgdata_DATA += utilities/vmmob.ovsschema
OVSIDL_BUILT += \
	utilities/vmmob-idl.c \
	utilities/vmmob-idl.h \
	utilities/vmmob-idl.ovsidl
EXTRA_DIST += utilities/vmmob-idl.ann
VMMOB_IDL_FILES = \
	$(srcdir)/utilities/vmmob.ovsschema \
	$(srcdir)/utilities/vmmob-idl.ann
utilities/vmmob-idl.ovsidl: $(VMMOB_IDL_FILES)
	$(AM_V_GEN)$(OVSDB_IDLC) annotate $(VMMOB_IDL_FILES) > $@.tmp && \
	mv $@.tmp $@

# Tests.
TESTSUITE_AT += \
	tests/vmmob.at \
	tests/vmmob-ipv6.at \
	tests/vmmob-agent.at \
	tests/vmmob-ctl.at \
	tests/vmmob-fuzz.at \
	tests/vmmob-guest.at \
	tests/vmmob-handover.at \
	tests/vmmob-lib.at \
	tests/vmmob-libvirt.at \
	tests/vmmob-network.at \
	tests/vmmob-peer.at \
	tests/vmmob-sim.at \
	tests/vmmob-suite.at
VMMOB_PYFILES = \
	tests/vmmob-alerts.py \
	tests/vmmob-frame.py \
	tests/vmmob-metrics.py \
	tests/vmmob-schema.py \
	tests/vmmob-subscriber.py \
	tests/vmmob-switch.py
EXTRA_DIST += $(VMMOB_PYFILES)
FLAKE8_PYFILES += $(VMMOB_PYFILES)
tests_ovstest_SOURCES += \
	tests/test-vmmob.c \
	tests/vmmob-test.h \
	tests/vmmob-test-addr.c \
	tests/vmmob-test-frame.c \
	tests/vmmob-test-network.c \
	tests/vmmob-test-pool.c \
	tests/vmmob-test-port.c
tests_ovstest_LDADD += ofproto-vmmob/libvmmob.la

# Fuzz targets: in ovstest, to replay their corpora, and with libFuzzer, which
# needs clang and is not built by "make".
noinst_LTLIBRARIES += tests/fuzz/libfuzz.la
tests_fuzz_libfuzz_la_SOURCES = \
	tests/fuzz/agent-settings.c \
	tests/fuzz/frame.c \
	tests/fuzz/fuzz.c \
	tests/fuzz/fuzz.h \
	tests/fuzz/icmp6.c \
	tests/fuzz/msg.c \
	tests/fuzz/nd.c \
	tests/fuzz/rows.c \
	tests/fuzz/settings.c
VMMOB_FUZZ_LIBS = \
	tests/fuzz/libfuzz.la \
	utilities/libvmmobd.la \
	ofproto-vmmob/libvmmob.la \
	lib/libopenvswitch.la
tests_ovstest_SOURCES += tests/fuzz/replay.c
tests_ovstest_LDADD += $(VMMOB_FUZZ_LIBS)

VMMOB_FUZZERS = \
	tests/fuzz/fuzz-agent-settings \
	tests/fuzz/fuzz-frame \
	tests/fuzz/fuzz-icmp6 \
	tests/fuzz/fuzz-mld \
	tests/fuzz/fuzz-msg \
	tests/fuzz/fuzz-nd \
	tests/fuzz/fuzz-rows \
	tests/fuzz/fuzz-settings
EXTRA_PROGRAMS += $(VMMOB_FUZZERS)
CLEANFILES += $(VMMOB_FUZZERS)
.PHONY: vmmob-fuzzers
vmmob-fuzzers: $(VMMOB_FUZZERS)

# What any object file may need first.
.PHONY: vmmob-built-sources
vmmob-built-sources: $(BUILT_SOURCES)

# Looks at our files with $(CLANG), whatever compiler the build uses.
CLANG = clang
VMMOB_C_FILES = $(wildcard $(addprefix $(srcdir)/, ofproto-vmmob/*.c \
	lib/*vmmob*.c utilities/*vmmob*.c tests/*vmmob*.c tests/fuzz/*.c))
VMMOB_CLANG_FLAGS = -Wno-unknown-warning-option -Wthread-safety -Werror
.PHONY: vmmob-clang-check
vmmob-clang-check: $(addsuffix .clang-check, $(VMMOB_C_FILES))
%.c.clang-check: %.c vmmob-built-sources
	$(AM_V_at)$(CLANG) -fsyntax-only $(DEFS) $(DEFAULT_INCLUDES) \
		$(INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS) \
		$(if $(findstring vmmob-sim, $<), \
		     -include $(srcdir)/tests/vmmob-sim-fakes.h) \
		-DFUZZ_FUNC=fuzz_msg $(VMMOB_CLANG_FLAGS) $<

# What our tests run.
.PHONY: vmmob-tested
vmmob-tested: $(bin_PROGRAMS) $(sbin_PROGRAMS) $(noinst_PROGRAMS) \
	$(bin_SCRIPTS) $(scripts_SCRIPTS) $(scripts_DATA) \
	$(check_SCRIPTS) $(check_DATA) $(TESTSUITE)

tests_fuzz_fuzz_agent_settings_SOURCES = tests/fuzz/engine.c
tests_fuzz_fuzz_agent_settings_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FUNC=fuzz_agent_settings
tests_fuzz_fuzz_agent_settings_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_agent_settings_LDADD = $(VMMOB_FUZZ_LIBS)
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/engine.c
tests_fuzz_fuzz_frame_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FUNC=fuzz_frame
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_frame_LDADD = $(VMMOB_FUZZ_LIBS)
tests_fuzz_fuzz_icmp6_SOURCES = tests/fuzz/engine.c
tests_fuzz_fuzz_icmp6_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FUNC=fuzz_icmp6
tests_fuzz_fuzz_icmp6_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_icmp6_LDADD = $(VMMOB_FUZZ_LIBS)
tests_fuzz_fuzz_mld_SOURCES = tests/fuzz/engine.c
tests_fuzz_fuzz_mld_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FUNC=fuzz_mld
tests_fuzz_fuzz_mld_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_mld_LDADD = $(VMMOB_FUZZ_LIBS)
tests_fuzz_fuzz_msg_SOURCES = tests/fuzz/engine.c
tests_fuzz_fuzz_msg_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FUNC=fuzz_msg
tests_fuzz_fuzz_msg_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_msg_LDADD = $(VMMOB_FUZZ_LIBS)
tests_fuzz_fuzz_nd_SOURCES = tests/fuzz/engine.c
tests_fuzz_fuzz_nd_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FUNC=fuzz_nd
tests_fuzz_fuzz_nd_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_nd_LDADD = $(VMMOB_FUZZ_LIBS)
tests_fuzz_fuzz_rows_SOURCES = tests/fuzz/engine.c
tests_fuzz_fuzz_rows_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FUNC=fuzz_rows
tests_fuzz_fuzz_rows_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_rows_LDADD = $(VMMOB_FUZZ_LIBS)
tests_fuzz_fuzz_settings_SOURCES = tests/fuzz/engine.c
tests_fuzz_fuzz_settings_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FUNC=fuzz_settings
tests_fuzz_fuzz_settings_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_settings_LDADD = $(VMMOB_FUZZ_LIBS)
EXTRA_DIST += \
	tests/fuzz/README.rst \
	tests/fuzz/corpus \
	tests/fuzz/dict \
	tests/fuzz/regression

# The simulator: what is to be simulated is compiled anew, on top of a world
# that is not real.
noinst_PROGRAMS += tests/test-vmmob-sim
tests_test_vmmob_sim_SOURCES = \
	ofproto-vmmob/agent.c \
	tests/test-vmmob-sim.c \
	tests/vmmob-sim.h \
	tests/vmmob-sim-db.c \
	tests/vmmob-sim-fakes.h \
	tests/vmmob-sim-net.c \
	tests/vmmob-sim-orders.c \
	lib/ovsdb-idl.c \
	$(VMMOBD_SOURCES)
nodist_tests_test_vmmob_sim_SOURCES = $(nodist_utilities_libvmmobd_la_SOURCES)
tests_test_vmmob_sim_CPPFLAGS = \
	$(AM_CPPFLAGS) -include $(srcdir)/tests/vmmob-sim-fakes.h
tests_test_vmmob_sim_LDADD = \
	ofproto-vmmob/libvmmob.la \
	lib/libopenvswitch.la
