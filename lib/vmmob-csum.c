/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "vmmob-csum.h"

#include <netinet/in.h>
#include <netinet/ip6.h>

#include "csum.h"
#include "dp-packet.h"
#include "packets.h"

/* A TCP segment or UDP datagram in a packet. */
struct segment {
    uint8_t proto;              /* IPPROTO_*. */
    size_t ofs;                 /* From the start of the packet. */
    size_t size;
    uint32_t addresses;         /* Sum of the IP addresses. */
};

static bool
find_in_ipv4(const struct dp_packet *packet, size_t ofs, struct segment *seg)
{
    const struct ip_header *ip = dp_packet_at(packet, ofs, sizeof *ip);

    if (!ip || IP_VER(ip->ip_ihl_ver) != 4
        || IP_IS_FRAGMENT(ip->ip_frag_off)) {
        return false;
    }

    size_t ip_len = IP_IHL(ip->ip_ihl_ver) * 4;
    size_t tot_len = ntohs(ip->ip_tot_len);
    if (ip_len < IP_HEADER_LEN || tot_len < ip_len) {
        return false;
    }

    seg->proto = ip->ip_proto;
    seg->ofs = ofs + ip_len;
    seg->size = tot_len - ip_len;
    seg->addresses = csum_continue(0, &ip->ip_src,
                                   sizeof ip->ip_src + sizeof ip->ip_dst);
    return true;
}

/* Finds the segment in the IPv6 packet at 'ofs', behind extension headers that
 * do not change the checksum.  Returns false if there is none. */
static bool
find_in_ipv6(const struct dp_packet *packet, size_t ofs, struct segment *seg)
{
    const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_at(packet, ofs,
                                                           sizeof *ip6);
    if (!ip6 || ip6->ip6_ctlun.ip6_un2_vfc >> 4 != 6) {
        return false;
    }

    seg->proto = ip6->ip6_ctlun.ip6_un1.ip6_un1_nxt;
    seg->ofs = ofs + sizeof *ip6;
    seg->size = ntohs(ip6->ip6_ctlun.ip6_un1.ip6_un1_plen);
    seg->addresses = csum_continue(0, &ip6->ip6_src,
                                   sizeof ip6->ip6_src + sizeof ip6->ip6_dst);
    while (seg->proto == IPPROTO_HOPOPTS || seg->proto == IPPROTO_DSTOPTS) {
        const struct ip6_ext *ext = dp_packet_at(packet, seg->ofs, 8);
        size_t ext_len = ext ? (ext->ip6e_len + 1) * 8 : 0;

        if (!ext || seg->size < ext_len) {
            return false;
        }
        seg->proto = ext->ip6e_nxt;
        seg->ofs += ext_len;
        seg->size -= ext_len;
    }
    return true;
}

static bool
find_segment(const struct dp_packet *packet, struct segment *seg)
{
    size_t ofs = ETH_HEADER_LEN;
    const ovs_be16 *type = dp_packet_at(packet, ofs - sizeof *type,
                                        sizeof *type);

    while (type && eth_type_vlan(*type)) {
        ofs += VLAN_HEADER_LEN;
        type = dp_packet_at(packet, ofs - sizeof *type, sizeof *type);
    }
    return (!type ? false
            : *type == htons(ETH_TYPE_IP) ? find_in_ipv4(packet, ofs, seg)
            : *type == htons(ETH_TYPE_IPV6) ? find_in_ipv6(packet, ofs, seg)
            : false);
}

/* Completes the TCP or UDP checksum of Ethernet frame 'packet' if it is just
 * the sum of the pseudo-header.  Leaves anything else alone, such as a
 * malformed packet, a fragment, or a tunnel with a partial checksum inside.
 * Returns true if it changed 'packet'. */
bool
vmmob_csum_complete(struct dp_packet *packet)
{
    struct segment seg;

    if (!find_segment(packet, &seg)) {
        return false;
    }

    bool udp = seg.proto == IPPROTO_UDP;
    if (!udp && seg.proto != IPPROTO_TCP) {
        return false;
    }

    void *l4 = dp_packet_at(packet, seg.ofs, seg.size);
    if (!l4 || seg.size < (udp ? UDP_HEADER_LEN : TCP_HEADER_LEN)) {
        return false;
    }

    struct tcp_header *tcp = l4;
    struct udp_header *uh = l4;
    ovs_be16 *field = udp ? &uh->udp_csum : &tcp->tcp_csum;
    uint32_t pseudo = csum_add16(seg.addresses, htons(seg.proto));

    pseudo = csum_add32(pseudo, htonl(seg.size));
    if (!*field || *field != (ovs_be16) ~csum_finish(pseudo)) {
        return false;
    }

    *field = 0;
    *field = csum_finish(csum_continue(pseudo, l4, seg.size));
    if (!*field) {
        *field = OVS_BE16_MAX;
    }
    return true;
}
