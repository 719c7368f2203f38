/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queueing disciplines: see rtnl.h. The kernel takes the bucket in bytes and the rate in 64 bits
 * besides the older fields; tables of rates, which tc(8) still sends, are not asked for by links
 * that are said to be Ethernet.
 */
#include <linux/pkt_sched.h>

#include "base/util.h"
#include "net/host/rtnl_priv.h"

#define QUEUE_MS 50

int host_link_shape(struct host_nl *nl, int index, uint64_t rate, uint32_t burst, struct err *e)
{
	const struct tcmsg t = {
		.tcm_family = AF_UNSPEC, .tcm_ifindex = index, .tcm_parent = TC_H_ROOT};
	const uint64_t queue = rate / 1000 * QUEUE_MS + burst;
	const struct tc_tbf_qopt q = {
		.rate = {.rate = (uint32_t)MIN(rate, (uint64_t)UINT32_MAX),
			 .linklayer = TC_LINKLAYER_ETHERNET},
		.limit = (uint32_t)MIN(queue, (uint64_t)UINT32_MAX),
		.mtu = burst,
	};
	struct nl_msg *msg = host_nl_msg(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &t, sizeof(t));
	struct nlattr *o;
	int bad = 1;

	if (msg && !nla_put_string(msg, TCA_KIND, "tbf") &&
	    (o = nla_nest_start(msg, TCA_OPTIONS)) != NULL) {
		bad = nla_put(msg, TCA_TBF_PARMS, sizeof(q), &q) ||
		      nla_put_u32(msg, TCA_TBF_BURST, burst) ||
		      nla_put_u64(msg, TCA_TBF_RATE64, rate);
		nla_nest_end(msg, o);
	}
	if (bad) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return host_nl_talk(nl, msg, NULL, NULL, e, "rate limit of link %d", index);
}
