from docai.cli.app import main

main()
