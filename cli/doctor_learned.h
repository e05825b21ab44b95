/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a device may reach by name: an address that it has asked for, as the kernel's sets have it now. */
#pragma once

#include "cli/doctor_subject.h"

struct nft_channel;

/* A device and an address of this family that is open to it for a while yet. False: there is none now. */
bool subject_learned(struct doctor *d, struct nft_channel *ch, uint8_t family, struct subject *ret);
/* What the policy says of @s when what the device has learned counts, too: a rule by name may have opened it, and a
 * device that is resolve-first reaches nothing that it has not asked for. */
void subject_by_name(struct doctor *d, struct nft_channel *ch, struct subject *s);
