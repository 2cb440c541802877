"""stack_in_loops.py on listings whose answer is known."""

import unittest

from stack_in_loops import examine

LISTING = """
0000000000000000 <outer(int)>:
   0:	mov    %rsp,%rbp
   3:	vmovdqa 0x20(%rsp),%ymm0
   9:	vpmaddubsw (%rdi),%ymm0,%ymm1
   e:	{first}
  13:	vpmaddubsw (%rsi),%ymm0,%ymm2
  18:	cmp    %rax,%rdx
  1b:	jne    9 <outer(int)+0x9>
  1d:	vmovdqa %ymm1,0x40(%rsp)
  23:	dec    %rcx
  26:	jne    3 <outer(int)+0x3>
  28:	ret

0000000000000030 <none(int)>:
  30:	vpaddw 0x20(%rsp),%ymm0,%ymm1
  36:	jne    30 <none(int)>
  38:	ret
"""


class StackInLoops(unittest.TestCase):
    def test_accesses_around_the_innermost_loop_do_not_count(self):
        self.assertEqual(list(examine(LISTING.format(first="vpaddw %ymm1,%ymm3,%ymm3"))), [("outer(int)", 2, 0)])

    def test_accesses_inside_do(self):
        for text in ("vpaddw 0x60(%rsp),%ymm1,%ymm3", "vmovdqa %ymm3,-0x20(%rbp)", "vpaddw 0x60(%rsp,%rax,4),%ymm1,%ymm3"):
            self.assertEqual(list(examine(LISTING.format(first=text))), [("outer(int)", 2, 1)], text)


if __name__ == "__main__":
    unittest.main()
