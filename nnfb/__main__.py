from nnfb.command import main

main()
