/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handmade packets with a number in them, by which they are known again wherever they come out. */
#pragma once

#include "policy/evaluate.h"

#define WIRE_FRAME_MAX 256
#define WIRE_SNAP_MAX  2048 /* an ICMP error quotes the packet that it is about */

/* An Ethernet frame: a SYN, a datagram, an echo request, an INIT, or bytes of whatever protocol it is. @sport: source
 * port or echo identifier. Checksums are right. Returns its length. */
size_t wire_build(const struct packet *pkt, uint16_t sport, uint32_t number, const uint8_t to_mac[6], uint8_t *frame);

enum wire_kind { WIRE_OTHER = 0, WIRE_PACKET, WIRE_REFUSAL };

/* What a frame is: one of ours, or the answer to one that was rejected (TCP reset, ICMP error). */
enum wire_kind wire_parse(const uint8_t *frame, size_t len, uint32_t *ret_number);
