/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's -M virt,gic-version=3, at EL1, under KVM or TCG. Arm ARM (DDI 0487), GICv3 (IHI 0069).
 *
 * Interrupts stay masked: they only end a WFI, and are acknowledged after it. So there is no
 * handler. */
#include "tests/lab/dvfs/machine.h"

#include <stddef.h>

#include "tests/lab/dvfs/payload.h"

#define GICD		UINT64_C(0x08000000)
#define GICD_CTLR	0x0
#define GICD_CTLR_ON	0x12u /* affinity routing, group 1 */
#define GICD_CTLR_RWP	(1u << 31)
#define GICR		UINT64_C(0x080a0000)
#define GICR_SIZE	UINT64_C(0x20000)
#define GICR_WAKER	0x14
#define WAKER_SLEEP	2u
#define WAKER_ASLEEP	4u
#define GICR_SGI	UINT64_C(0x10000)
#define GICR_IGROUPR0	(GICR_SGI + 0x80)
#define GICR_ISENABLER0 (GICR_SGI + 0x100)
#define WAKE_SGI	0u
#define TIMER_PPI	27u
#define INTID_NONE	1020u

#define STEAL_BLOCK	 UINT64_C(0x09000000) /* the part of memory that entry.S's l3 maps */
#define STEAL_BLOCK_SIZE UINT64_C(0x200000)
#define PAGE_NORMAL	 UINT64_C(0x0060000000000707)

#define READ(name)                                                                                 \
	({                                                                                         \
		uint64_t value_;                                                                   \
		__asm__ volatile("mrs %0, " name : "=r"(value_) : : "memory");                     \
		value_;                                                                            \
	})
#define WRITE(name, value)                                                                         \
	__asm__ volatile("msr " name ", %0" : : "r"((uint64_t)(value)) : "memory")
#define ISB() __asm__ volatile("isb" : : : "memory")
#define DSB() __asm__ volatile("dsb sy" : : : "memory")

extern char secondary_entry[];
extern uint64_t l3[];
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void payload_fault(uint64_t esr, uint64_t elr, uint64_t far);

static volatile uint32_t *reg(uint64_t address)
{
	return (volatile uint32_t *)address;
}

uint64_t machine_counter_hz(void)
{
	return READ("cntfrq_el0");
}

uint64_t machine_counter(void)
{
	ISB();
	return READ("cntvct_el0");
}

uint64_t machine_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = a;
	register uint64_t x2 __asm__("x2") = b;
	register uint64_t x3 __asm__("x3") = c;

	__asm__ volatile("hvc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 :
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
			   "x15", "x16", "x17", "memory");
	return x0;
}

void machine_init_vcpu(uint32_t vcpu)
{
	uint64_t redistributor = GICR + vcpu * GICR_SIZE;

	if (vcpu == 0) {
		*reg(GICD + GICD_CTLR) = GICD_CTLR_ON;
		while (*reg(GICD + GICD_CTLR) & GICD_CTLR_RWP)
			;
	}
	*reg(redistributor + GICR_WAKER) &= ~WAKER_SLEEP;
	while (*reg(redistributor + GICR_WAKER) & WAKER_ASLEEP)
		;
	*reg(redistributor + GICR_IGROUPR0) = UINT32_MAX;
	*reg(redistributor + GICR_ISENABLER0) = 1u << WAKE_SGI | 1u << TIMER_PPI;
	WRITE("S3_0_C12_C12_5", READ("S3_0_C12_C12_5") | 1); /* ICC_SRE_EL1 */
	ISB();
	WRITE("S3_0_C4_C6_0", 0xff); /* ICC_PMR_EL1 */
	WRITE("S3_0_C12_C12_7", 1);  /* ICC_IGRPEN1_EL1 */
	ISB();
}

void machine_sleep_until(uint64_t counter)
{
	uint64_t intid;

	WRITE("cntv_cval_el0", counter);
	WRITE("cntv_ctl_el0", 1);
	ISB();
	DSB();
	__asm__ volatile("wfi" : : : "memory");
	WRITE("cntv_ctl_el0", 0);
	ISB();
	while ((intid = READ("S3_0_C12_C12_0") & 0xffffff) < INTID_NONE) /* ICC_IAR1_EL1 */
		WRITE("S3_0_C12_C12_1", intid);				 /* ICC_EOIR1_EL1 */
	DSB();
}

void machine_wake(uint32_t vcpu)
{
	DSB(); /* what it is to see is there before it wakes */
	WRITE("S3_0_C12_C11_5", UINT64_C(1) << vcpu | (uint64_t)WAKE_SGI << 24); /* ICC_SGI1R_EL1 */
	ISB();
}

uint64_t machine_entry(void)
{
	return (uint64_t)secondary_entry;
}

const volatile uint64_t *machine_map_steal(uint64_t address)
{
	uint64_t page = (address - STEAL_BLOCK) / 4096;

	if (address < STEAL_BLOCK || address >= STEAL_BLOCK + STEAL_BLOCK_SIZE || address % 64 != 0)
		return NULL;
	__atomic_store_n(&l3[page], (address & ~UINT64_C(4095)) | PAGE_NORMAL, __ATOMIC_RELEASE);
	DSB();
	ISB();
	/* revision and attributes, which must be 0, and then the time (DEN0057) */
	if (*(const volatile uint64_t *)address != 0)
		return NULL;
	return (const volatile uint64_t *)(address + 8);
}

void machine_spin(uint32_t rounds)
{
	uint64_t left = rounds > 0 ? rounds : 1;

	__asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(left) : : "cc");
}

/* ---- what the compiler and entry.S call */

void *memset(void *to, int byte, size_t size)
{
	volatile uint8_t *at = to;

	while (size-- > 0)
		*at++ = (uint8_t)byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	volatile uint8_t *at = to;
	const uint8_t *source = from;

	while (size-- > 0)
		*at++ = *source++;
	return to;
}

void payload_fault(uint64_t esr, uint64_t elr, uint64_t far)
{
	struct mailbox *mailbox = (struct mailbox *)(MAILBOX_RAM + MAILBOX_OFFSET);

	mailbox->fault_elr = elr;
	mailbox->fault_far = far;
	MAILBOX_SET(mailbox->fault_esr, esr);
	for (;;)
		__asm__ volatile("wfi");
}
