# SPDX-License-Identifier: Apache-2.0
#
# Hypervisors and VMs in namespaces, for bash.  Whoever includes this is the
# network between them: a router, in namespaces of its own.  All of it is gone
# when it ends.
#
#     vm -- br0 of hypervisor -- eth1 -+
#                        its eth0 -----+-- router

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -z "$VMMOB_ROUTER" ]; then
    export VMMOB_ROUTER=yes
    exec unshare --net --mount --pid --fork --kill-child --mount-proc \
         "$0" "$@"
fi
set -e
shopt -s inherit_errexit
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward

# Of each hypervisor and VM, by name: a process in its namespaces.
declare -A pids
# Of each VM.
declare -A macs places

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Waits for "$@" to succeed.
wait_until() {
    local end=$((SECONDS + 60))
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "60 s were not enough for: $*"
        sleep 0.1
    done
}

# enter NAME COMMAND...
enter() {
    local name=$1
    shift
    nsenter -t "${pids[$name]}" -m -n -p -r -w -- "$@"
}

# hold NAME SETUP [ARG]...: makes NAME with namespaces of its own, where bash
# first does SETUP.  Its first process does nothing but end all others.
hold() {
    local name=$1 setup=$2 parent
    shift 2
    unshare --net --mount --pid --fork --kill-child bash -ec "$setup
        trap '' CHLD
        exec chroot \"\${root:-/}\" sleep infinity" bash "$@" &
    parent=$!
    wait_until pgrep -P $parent -x sleep
    pids[$name]=$(pgrep -P $parent -x sleep)
    enter "$name" ip link set lo up
}

# hypervisor NAME NETWORK [ROOT]: with addresses of NETWORK, as "192.0.2", and
# with ROOT as its file system.  Nothing is started.
hypervisor() {
    local name=$1 network=$2 device
    # Only the userspace datapath is used here: no module is missing.
    hold "$name" '
        root=$1
        mount -t proc proc "$root/proc"
        for dir in /run /etc/openvswitch /var/{lib,log}/openvswitch{,-vmmob}
        do
            [ -d "$root/$dir" ] || continue
            [ "$root" = / ] || [ $dir = /run ] || continue
            mount -t tmpfs tmpfs "$root/$dir"
        done
        modprobe=$(chroot "$root" readlink -f /sbin/modprobe)
        mount --bind "$root/bin/true" "$root/$modprobe"' "${3:-/}"
    for device in eth0 eth1; do
        ip link add name "$name-$device" type veth \
            peer name $device netns "${pids[$name]}"
        ip link set dev "$name-$device" up
        enter "$name" ip link set dev $device up
    done
    # As the site's gateway, and to its management address.
    ip addr add "$network.1/24" dev "$name-eth1"
    ip route add "$network.2" dev "$name-eth0"
    enter "$name" ip addr add "$network.2/24" dev eth0
    enter "$name" ip route add default via "$network.1"
    echo 1 > "/proc/sys/net/ipv4/conf/$name-eth0/proxy_arp"
}

# start HYPERVISOR UNIT...
start() {
    enter "$1" python3 - start "${@:2}" < "$here/run-unit"
}

# The VMs' network.
home=10.100.0

# add_bridge HYPERVISOR NETWORK [VSCTL-ARG]...: for VM mobility, with eth1.
add_bridge() {
    enter "$1" ovs-vsctl \
        add-br br0 -- set bridge br0 datapath_type=netdev \
            other_config:hwaddr="\"02:00:00:00:00:0$1\"" \
            other_config:vmmob-uplink=eth1 \
            other_config:vmmob-home=$home.0/24 \
            other_config:vmmob-home-gateway=$home.1 \
            other_config:vmmob-pool="$2.128/25" \
            other_config:vmmob-gateway="$2.1/24" -- \
        add-port br0 eth1 "${@:3}"
}

# Waits until the agent of HYPERVISOR reads from its peers.
wait_for_peers() {
    wait_until eval "enter $1 ovs-appctl -t ovs-vmmobd vmmob/peers |
        grep -w connected"
}

# vm NAME MAC ADDRESS
vm() {
    local name=$1
    hold "$name" :
    macs[$name]=$2
    # Links of the bridge come and go without the VM noticing.
    enter "$name" ip link add eth0 address "$2" type bridge forward_delay 0 \
          stp_state 0 mcast_snooping 0
    enter "$name" ip addr add "$3/24" dev eth0
    enter "$name" ip link add keep type veth peer name kept
    enter "$name" ip link set dev kept up
    enter "$name" ip link set dev keep master eth0 up
    enter "$name" ip link set dev eth0 up
}

# plug VM HYPERVISOR: as libvirt does before a VM runs there.
plug() {
    ip link add name "$2" netns "${pids[$1]}" type veth \
       peer name "$1" netns "${pids[$2]}"
    enter "$2" ip link set dev "$1" up
    # What is sent there is as whole as what a VM's network card sends.
    enter "$1" ethtool -K "$2" tx off > /dev/null
    enter "$1" ip link set dev "$2" master eth0
    enter "$2" ovs-vsctl add-port br0 "$1" -- set interface "$1" \
          external_ids:attached-mac="\"${macs[$1]}\""
}

# run VM HYPERVISOR: it runs there from now on, and is announced as by QEMU.
run() {
    [ -z "${places[$1]}" ] ||
        enter "$1" ip link set dev "${places[$1]}" down
    enter "$1" ip link set dev "$2" up
    places[$1]=$2
    enter "$1" python3 - "${macs[$1]}" <<'EOF'
import socket, struct, sys

mac = bytes.fromhex(sys.argv[1].replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.bind(("eth0", 0))
s.send((b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x8035, 1, 0x800, 6, 4, 3)
        + (mac + bytes(4)) * 2).ljust(60, b"\0"))
EOF
}

# moa HYPERVISOR VM: the VM's mobile address, as the hypervisor knows it.
moa() {
    enter "$1" ovs-appctl vmmob/vmns |
        awk -v mac="${macs[$2]}" '$1 == mac && $7 != "left" { print $3 }'
}
