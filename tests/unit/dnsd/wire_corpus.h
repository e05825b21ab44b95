/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages to send: made here, and what others have collected. */
#pragma once

#include "base/base.h"

typedef void wire_message_fn(void *arg, const char *where, const uint8_t *msg, size_t len);

/* A question with EDNS and a cookie, cut at every byte and with every bit turned over. */
void wire_made(wire_message_fn *fn, void *arg);
/* Each file below @dir: *.pcap (Ethernet, raw or null; UDP, and TCP segments that begin with a frame), *.blob (frames
 * of TCP), any other a message; files that are no messages by their name are passed over. How many; -1: @dir is not
 * there. */
int wire_dir(const char *dir, wire_message_fn *fn, void *arg);
