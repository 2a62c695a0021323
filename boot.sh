#! /bin/bash
# SPDX-License-Identifier: Apache-2.0

usage() {
    cat <<EOF
Usage: ./boot.sh                Makes ./configure, for daily work:
                                  ./boot.sh && ./configure && make && make check
       ./boot.sh check          On Debian 12, as root: installs what is missing,
                                builds, runs the tests, also with sanitizers and
                                with the newest Open vSwitch, checks packets on
                                the wire, also on the kernel datapath, kills
                                daemons while VMs move, migrates a real guest.
       ./boot.sh check PART...  Likewise, but only these parts:
                                  ${parts[*]}
       ./boot.sh demo [ARG]...  Likewise, but runs tests/lab/vmmob-demo ARG...
       ./boot.sh bench [ARG]... Likewise, but runs tests/bench/vmmob-bench ARG...
                                (half an hour; results are in bench-results)
       ./boot.sh deb            Likewise, but makes Debian packages, in deb/.
       ./boot.sh --help

"check", "demo" and "bench" build with what ./configure was last told, if it was
run.
EOF
}

cd "$(dirname "$0")" || exit
logs=boot.logs

# To build; to run Open vSwitch's testsuite; to run the lab.
packages=(
    build-essential autoconf automake libtool pkg-config patch
    libcap-ng-dev libssl-dev openvswitch-source python3 clang

    ethtool iproute2 iputils-ping netcat-openbsd openssl procps
    python3-jsonschema python3-prometheus-client python3-scapy
    python3-sortedcontainers

    busybox-static cpio qemu-system-x86 tcpdump

    libvirt-clients libvirt-daemon libvirt-daemon-driver-qemu

    liblwip-dev ndisc6
)
# What the benchmark compares vmmob with.
bench_packages=(frr python3-os-ken)
# To make Debian packages, beside what debian/control names; to test them.
deb_packages=(build-essential)
deb_test_packages=(debootstrap lintian systemd systemd-container)
# The kernel of guests, which the lab downloads and does not install.
kernel_package=linux-image-cloud-amd64

# What "check" does, in this order.
parts=(style vmmob stock asan tsan newest wire kernel chaos libvirt demo
       packages)

# The part of Debian that has the newest Open vSwitch.
newest_suite=sid

# Stock Open vSwitch's tests of the parts that we change, by keyword.
stock_tests=(ofproto ofproto-dpif bridge learn in-band fail-open)

# Those that run with the newest Open vSwitch, likewise.
newest_tests=(vmmob-switch vmmobd vmmob-ctl)

die() {
    echo "boot.sh: $*" >&2
    exit 1
}

# What is going on in log $1, every second on a terminal, else every minute.
show_progress() {
    local start=$SECONDS line
    while sleep "$([ -t 1 ] && echo 1 || echo 60)"; do
        line="  $((SECONDS - start)) s  $(tail -n 1 "$1" | cut -c -60)"
        if [ -t 1 ]; then printf '\r%s\e[K' "$line"; else echo "$line"; fi
    done
}

# run LOG WHAT COMMAND [ARG]...
run() {
    local log=$logs/$1.log what=$2 start=$SECONDS status
    shift 2
    mkdir -p "$logs"
    echo "$what"
    : > "$log"
    show_progress "$log" &
    progress=$!
    "$@" >> "$log" 2>&1 < /dev/null
    status=$?
    stop_progress
    if [ $status = 0 ]; then
        echo "  $((SECONDS - start)) s, done"
    else
        echo "  $((SECONDS - start)) s, FAILED: see $log, which ends:"
        tail -n 20 "$log" | sed 's/^/  | /'
    fi
    return $status
}

# Likewise, for what runs in real time: with a second try, as the machine may be
# busy.  The log of the first one is kept.
run_twice() {
    run "$@" && return
    mv "$logs/$1.log" "$logs/$1-first.log"
    second_tries+=("part $1: see $logs/$1-first.log")
    run "$1" "Once more, as this machine may be busy" "${@:3}"
}

# What needed a second try.  It may be a race, so each is named in the last
# lines.
second_tries=()

stop_progress() {
    if [ -n "$progress" ]; then
        kill "$progress" 2>/dev/null
        wait "$progress" 2>/dev/null
        progress=
        if [ -t 1 ]; then printf '\r\e[K'; fi
    fi
}

# Tells whether tests failed in build $1 with a sanitizer's report.
sanitizers_reported() {
    local tests=$1/tests/testsuite.dir
    [ -n "$(find "$tests" -name 'asan.*' -o -name 'ubsan.*' \
                -o -name 'sanitizers.*')" ] ||
        grep -rqs vmmob --include='tsan.*' "$tests"
}

# Shows how the logs end of the tests that failed in build $1, of three at most.
show_failed() {
    local log shown=0
    # Others leave no directory.
    for log in "$1"/tests/testsuite.dir/[0-9]*/testsuite.log; do
        [ $((shown++)) -lt 3 ] || break
        echo "  $log ends:"
        tail -n 60 "$log" | sed 's/^/  | /'
    done
}

# Runs "make" with target $3 and arguments $4..., and adds to the totals.  Tests
# that fail have a second try, as the machine may be busy, and its result
# counts, but it is no excuse for what a sanitizer has found.
passed=0 failed=0 skipped=0 tests_ran=
run_tests() {
    local log=$logs/$1.log again=$logs/$1-again.log dir=ovs${3#check} status
    run "$1" "$2" make "${@:3}"
    status=$?
    : > "$again"
    if [ $status != 0 ] && grep -aq ' FAILED (' "$log"; then
        show_failed "$dir"
        if sanitizers_reported "$dir"; then
            echo "  FAILED: a sanitizer reported something"
        else
            readarray -t -O ${#second_tries[@]} second_tries < <(
                sed -n "s/^ *\([0-9]*: .*[^ ]\)  *FAILED (\(.*\))\$/part $1, \1 (\2)/p" \
                    "$log" | tr -s ' ')
            run "$1-again" "Once more those that failed" \
                make "$3" TESTSUITEFLAGS=--recheck
            status=$?
        fi
    fi
    set -- $(cat "$log" "$again" |
             awk '/^ *[0-9]+: / {
                      n = $1 + 0
                      result[n] = / (FAILED|UNEXPECTED PASS)( |$)/ ? "f" : \
                                  / skipped( |$)/ ? "s" : "p"
                  }
                  END {
                      for (n in result) total[result[n]]++
                      print total["p"] + 0, total["f"] + 0, total["s"] + 0
                  }')
    echo "  $1 passed, $2 failed, $3 skipped"
    tests_ran=yes
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    if [ $status = 0 ] && [ "$1" = 0 ]; then
        echo "  FAILED: no test passed"
        return 1
    fi
    return $status
}

# Has those of PARTS that are in "wanted" built in the background, one after the
# other, while tests wait for something.  That is in a session of its own, as
# Linux shares time out by session first, and has the lowest priority.
start_building() {
    local part todo=()
    for part; do
        [[ " ${wanted[*]} " != *" $part "* ]] || todo+=("$part")
    done
    [ ${#todo[@]} != 0 ] || return
    setsid nice -n 19 ./boot.sh build "${todo[@]}" \
        >> "$logs/build-ahead.log" 2>&1 < /dev/null &
    building=$!
}

# What that does.
build_parts() {
    local part
    { echo 19 > /proc/self/autogroup; } 2>/dev/null
    for part; do
        case $part in
            asan | tsan) make build-"$part" ;;
            packages) make_deb_packages ;;
        esac && touch "$logs/$part.built"
    done
}

# Waits until what part $1 needs, which is $2, is built, or could not be.
wait_for_build() {
    [ -e "$logs/$1.built" ] || [ -z "$building" ] ||
        run "$1-build" "Building $2" wait_while_building "$1"
}

wait_while_building() {
    while [ ! -e "$logs/$1.built" ] && kill -0 "$building" 2>/dev/null; do
        sleep 1
    done
}

finish() {
    stop_progress
    [ -z "$building" ] || kill -- -"$building" 2>/dev/null
    if [ ${#second_tries[@]} != 0 ]; then
        echo "These had a second try, after a failure that is perhaps a race:"
        printf '  %s\n' "${second_tries[@]}"
    fi
    if [ -n "$tests_ran" ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    fi
}

# Waits while somebody else installs packages, too.
apt_get=(env DEBIAN_FRONTEND=noninteractive
         apt-get -o DPkg::Lock::Timeout=600)

install_packages() {
    local package missing=()
    command -v apt-get > /dev/null || die "this needs Debian (apt-get).  \
Elsewhere, install the counterparts of: ${packages[*]}; then use \
./boot.sh && ./configure && make && make check."
    [ "$(id -u)" = 0 ] || die "this installs packages and makes network \
namespaces: run it as root."
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
            grep -qx installed || missing+=("$package")
    done
    if [ ${#missing[@]} != 0 ] ||
       ! apt-cache show $kernel_package > /dev/null 2>&1; then
        run apt-update "Updating the list of packages" apt-get update ||
            exit 1
    fi
    if [ ${#missing[@]} != 0 ]; then
        run apt-install "Installing ${missing[*]}" \
            "${apt_get[@]}" install -y --no-install-recommends \
            "${missing[@]}" || exit 1
    fi
}

# configure [ARG]...: with ARGs for ./configure if it was not run yet.
configure() {
    if [ ! -f Makefile ]; then
        run autoreconf "Making ./configure" autoreconf --install --force &&
            run configure "Configuring" ./configure "$@" || exit 1
    fi
}

# build [ARG]...: likewise.
build() {
    configure "$@"
    run make "Building Open vSwitch with vmmob" make || exit 1
}

# check [PART]...
check() {
    local part wanted=("$@")
    [ $# != 0 ] || wanted=("${parts[@]}")
    set -- "${wanted[@]}"
    for part; do
        [[ " ${parts[*]} " = *" $part "* ]] ||
            die "\"$part\" is none of: ${parts[*]}"
    done
    if [[ " $* " = *" packages "* ]]; then
        packages+=("${deb_test_packages[@]}")
    fi
    install_packages
    # Packages are built anew, in a place of their own.
    if [ "$*" = packages ]; then
        configure --enable-Werror
    else
        build --enable-Werror
    fi
    rm -f "$logs"/*.built
    # With one part there is nothing to do meanwhile.
    [ $# = 1 ] || start_building asan tsan
    for part; do
        # Only now, as it installs what other builds would use, too.
        if [ $# != 1 ] && [ "$part" = wire ]; then
            wait_for_build tsan "with TSan"
            install_deb_packages
            start_building packages
        fi
        check_"$part" || exit 1
    done
    echo "All is well, after $SECONDS s"
}

check_style() {
    run style "Checking coding style" make style &&
        run clang "Checking our files with clang" make clang-check
}

check_vmmob() {
    run_tests vmmob "Running the tests of vmmob" check \
        TESTSUITEFLAGS='-k vmmob -j4'
}

# Mostly waiting, hence -j8.
check_stock() {
    run_tests stock "Running tests of stock Open vSwitch" check \
        TESTSUITEFLAGS="-j8 ${stock_tests[*]/#/-k !vmmob,}"
}

check_asan() {
    wait_for_build asan "with ASan and UBSan"
    run_tests asan "Running the tests of vmmob with ASan and UBSan" \
        check-asan TESTSUITEFLAGS='-k vmmob -j4'
}

# The rest has just one thread.
check_tsan() {
    wait_for_build tsan "with TSan"
    run_tests tsan "Running the tests of ovs-vswitchd with TSan" check-tsan \
        TESTSUITEFLAGS='-k vmmob-switch -k vmmob-handover -j4'
}

# Leaves Debian's newest Open vSwitch in boot.newest/, from the mirror that this
# machine uses.
download_newest() {
    local dir=$PWD/boot.newest apt mirror
    mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' \
                 'Created-By: Packages' | sed -n 's/^Debian //p' | head -n 1)
    apt=(apt-get -o Dir::Etc::SourceList="$dir/sources.list"
         -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$dir/lists"
         -o Dir::Cache="$dir" -o Acquire::Languages=none
         -o APT::Sandbox::User=root)
    rm -rf "$dir" && mkdir -p "$dir/lists/partial" "$dir/archives/partial" &&
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \
$mirror $newest_suite main" > "$dir/sources.list" &&
        "${apt[@]}" update &&
        (cd "$dir" && "${apt[@]}" download openvswitch-source &&
            dpkg-deb -x openvswitch-source_*.deb .)
}

# A failure with one that is newer than what vmmob was tried with is for who
# ports it, and does not hold up the rest.
check_newest() {
    local source=boot.newest/usr/src/openvswitch log=$logs/newest.log
    local tried version
    run newest-source "Downloading the newest Open vSwitch" download_newest || {
        echo "  It is not to be had here, and not checked"
        return
    }
    [ ! -e $source/openvswitch.tar.gz ] || source+=/openvswitch.tar.gz
    if run newest "Building and testing with the newest Open vSwitch" \
           make check-patches BUILD=yes OVS_SOURCES=$source \
           TESTSUITEFLAGS="-j4 ${newest_tests[*]/#/-k }"; then
        grep ' applies, ' "$log"
        return
    fi
    tried=$(sed -n 's/^m4_define(\[OVS_NEWEST\], \[\(.*\)\])/\1/p' configure.ac)
    version=$(sed -nE 's/^([0-9]+(\.[0-9]+)+) .*/\1/p' "$log")
    [ -n "$version" ] &&
        printf '%s\n' "$tried.90" "$version" | sort -CV &&
        echo "  It is newer than $tried: see Documentation/port.rst"
}

# On the userspace datapath; "kernel" has the same on the other.
check_wire() {
    run wire "Checking every packet on the wire" lab vmmob-wire &&
        tail -n 1 $logs/wire.log &&
        run_twice answers "Checking answers to packets and to their copies" \
            lab vmmob-datapath --datapath netdev errors unsummed copies \
            quotes guard && tail -n 1 $logs/answers.log &&
        run_twice guests "Checking what guests make of neighbor discovery" \
            lab vmmob-guests && tail -n 1 $logs/guests.log &&
        run_twice stacks "Trying IPv6 with what others wrote" \
            lab vmmob-stacks && tail -n 1 $logs/stacks.log
}

# In a virtual machine.
check_kernel() {
    run_twice kernel "Testing on the kernel datapath" lab vmmob-kernel &&
        grep -E ' cases, ' $logs/kernel.log
}

check_chaos() {
    run_twice chaos "Killing daemons and cutting networks while VMs move" \
        lab vmmob-chaos --seed 1 --seconds 30 &&
        grep 'rounds in' $logs/chaos.log
}

check_libvirt() {
    run_twice libvirt "Having libvirt migrate a real guest" lab vmmob-libvirt &&
        cat $logs/libvirt.log
}

check_demo() {
    run_twice demo "Migrating a real guest" demo --runs 1 && cat $logs/demo.log
}

check_packages() {
    wait_for_build packages "Debian packages"
    if [ ! -e $logs/packages.built ]; then
        install_deb_packages
        run deb "Building Debian packages" make_deb_packages || return
    fi
    run packages "Installing, upgrading and removing packages" \
        tests/packages/check deb packages &&
        grep '^== ' $logs/packages.log
}

install_deb_packages() {
    run build-dep "Installing what the packages are built with" \
        "${apt_get[@]}" build-dep -y --no-install-recommends ./ || exit 1
}

# Those that the tests need.
make_deb_packages() {
    DEB_BUILD_OPTIONS="nocheck noautodbgsym" make deb
}

build_deb() {
    run deb "Building Debian packages" make deb
}

# lab PROGRAM [ARG]...
lab() {
    VMMOB_BUILD=$PWD/ovs VMMOB_OVS_SRC=$PWD/ovs-src tests/lab/"$@"
}

demo() {
    lab vmmob-demo "$@"
}

bench() {
    run stock "Building Open vSwitch without vmmob" make stock || exit 1
    VMMOB_BUILD=$PWD/ovs VMMOB_OVS_SRC=$PWD/ovs-src \
        tests/bench/vmmob-bench "$@"
}

case $1 in
    '')
        exec autoreconf --install --force
        ;;
    check)
        trap finish EXIT
        check "${@:2}"
        ;;
    build)
        build_parts "${@:2}"
        ;;
    demo)
        trap finish EXIT
        install_packages
        build
        demo "${@:2}"
        ;;
    deb)
        trap finish EXIT
        packages=("${deb_packages[@]}")
        install_packages
        # Only now is there what ./configure needs.
        install_deb_packages
        configure
        build_deb && ls -l deb/*.deb
        ;;
    bench)
        trap finish EXIT
        packages+=("${bench_packages[@]}")
        install_packages
        build
        bench "${@:2}"
        ;;
    -h | --help)
        usage
        ;;
    *)
        usage >&2
        exit 1
        ;;
esac
