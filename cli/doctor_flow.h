/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection that conntrack believes in, so that a probe can be an answer. */
#pragma once

#include "cli/doctor_packet.h"

#include "base/err.h"

/* Enters the flow that @out would have begun, as established. It ends by itself after a few seconds. */
int flow_enter(const struct probe_packet *out, struct err *e);
void flow_remove(const struct probe_packet *out);
