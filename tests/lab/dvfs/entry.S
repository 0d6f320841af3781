/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload's first instructions: an arm64 Image (Linux' Documentation/arch/arm64/booting.rst) that turns the
 * MMU on, so that memory is cached and shared with the host as the host sees it, and calls C. */

#define MAILBOX		0x43000000	/* mailbox.h */
#define STACK_SHIFT	14
#define VCPUS		8
/* Level 1 and 2 blocks, level 3 pages: access flag, inner shareable, attributes 1 (normal) or 0 (device). */
#define BLOCK_NORMAL	0x705
#define BLOCK_DEVICE	0x0060000000000401
#define TABLE		3
#define MAIR		0xff00
/* 39 bits of 4 KiB pages, walks cached and inner shareable, no TTBR1, 40 bits physical */
#define TCR		(25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 32)
#define SCTLR		0x30d01805	/* MMU, caches, and what must be one */

	.section .head, "ax"
	b	first_entry
	.long	0
	.quad	0x80000			/* text_offset */
	.quad	image_size
	.quad	2			/* little-endian, 4 KiB pages */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	.text
	.globl	first_entry
first_entry:
	adrp	x0, bss_begin
	add	x0, x0, :lo12:bss_begin
	adrp	x1, bss_end
	add	x1, x1, :lo12:bss_end
1:	cmp	x0, x1
	b.hs	2f
	str	xzr, [x0], #8
	b	1b
2:	mov	x19, #0
	bl	set_up
	ldr	x0, =MAILBOX
	bl	payload_main
3:	wfi
	b	3b

	.globl	secondary_entry
secondary_entry:
	mov	x19, x0
	bl	set_up
	ldr	x0, =MAILBOX
	mov	x1, x19
	bl	payload_secondary
4:	wfi
	b	4b

/* x19: the vCPU */
set_up:
	ldr	x0, =stacks
	add	x1, x19, #1
	add	x0, x0, x1, lsl #STACK_SHIFT
	mov	sp, x0
	ldr	x0, =vectors
	msr	vbar_el1, x0
	ldr	x0, =MAIR
	msr	mair_el1, x0
	ldr	x0, =TCR
	msr	tcr_el1, x0
	ldr	x0, =l1
	msr	ttbr0_el1, x0
	dsb	sy
	isb
	tlbi	vmalle1
	ic	iallu
	dsb	sy
	isb
	ldr	x0, =SCTLR
	msr	sctlr_el1, x0
	isb
	ret

	.balign	2048
vectors:
	.rept	16
	mrs	x0, esr_el1
	mrs	x1, elr_el1
	mrs	x2, far_el1
	b	payload_fault
	.balign	128
	.endr

	.data
	.balign	4096
l1:	.quad	l2 + TABLE
	.quad	0x40000000 + BLOCK_NORMAL
	.fill	510, 8, 0
l2:	.fill	64, 8, 0
	.set	block, 0x08000000
	.rept	8			/* the interrupt controller */
	.quad	block + BLOCK_DEVICE
	.set	block, block + 0x200000
	.endr
	.quad	l3 + TABLE		/* 0x09000000: steal time, a page when it is known */
	.fill	439, 8, 0
	.globl	l3
l3:	.fill	512, 8, 0

	.bss
	.balign	16
stacks:	.skip	VCPUS << STACK_SHIFT
